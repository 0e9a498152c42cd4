// tests/daemon/documents_test.cc - documents and groups as an operator gives them: flags, files, what is said of
// mistakes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/parleyd/document_files.h"
#include "tools/parleyd/flags.h"
#include "tools/parleyd/loaded.h"

namespace parley::parleyd {
namespace {

using Outcome = Parsed::Outcome;
namespace fs = std::filesystem;

const std::string group =
    "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:team@example.org'/></group>";

class Folder {
 public:
  Folder() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  void file(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path_ + "/" + name).parent_path());
    std::ofstream(path_ + "/" + name) << text;
  }

 private:
  std::string path_ = "/tmp/parley-documents-XXXXXX";
};

Parsed parse_with(std::vector<std::string> more) {
  std::vector<std::string> arguments = {"--sip", "udp:127.0.0.1:0", "--domain", "example.org", "--user", "a:b"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parse_flags(arguments);
}

Loaded load(std::vector<std::string> more) {
  const Parsed parsed = parse_with(std::move(more));
  EXPECT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  return load_files(parsed.settings, {}, nullptr);
}

std::string names(const DocumentFilesResult& result) {
  std::string text;
  for (const auto& file : result.files) text += file.name + " ";
  return text + result.error;
}

TEST(DocumentFlags, a_group_in_short_is_a_group) {
  const Loaded loaded = load({"--group", "sip:team@example.org=alice,bob@example.net", "--group", "other=carol"});
  ASSERT_EQ(loaded.error, "");
  const policy::Group* team = loaded.documents->group("sip:team@example.org");
  ASSERT_NE(team, nullptr);
  EXPECT_TRUE(team->is_member("sip:alice@example.org"));
  EXPECT_TRUE(team->is_member("sip:bob@example.net"));
  EXPECT_TRUE(team->invites_members());
  EXPECT_NE(loaded.documents->group("sip:other@example.org"), nullptr);
}

TEST(DocumentFlags, names_are_completed_with_the_realm_where_there_is_no_domain) {
  const Parsed parsed =
      parse_flags({"--sip", "udp:127.0.0.1:0", "--realm", "example.com", "--user", "a:b", "--group", "team=alice"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  ASSERT_EQ(parsed.settings.groups.size(), 1U);
  EXPECT_EQ(parsed.settings.groups[0].uri, "sip:team@example.com");
}

TEST(DocumentFlags, a_bad_group_is_named) {
  EXPECT_EQ(parse_with({"--group", "team"}).text, "--group: 'team' is not URI=MEMBER,MEMBER,...");
  EXPECT_EQ(parse_with({"--group", "http://x=a"}).text,
            "--group: 'http://x=a' does not begin with a SIP URI or the name of one");
  EXPECT_EQ(load({"--group", "team=a", "--group", "sip:team@EXAMPLE.org=b"}).error,
            "--group: sip:team@EXAMPLE.org is in --group, too");
}

TEST(DocumentFlags, without_any_there_are_documents_that_say_nothing) {
  const Loaded loaded = load({});
  ASSERT_NE(loaded.documents, nullptr);
  EXPECT_TRUE(loaded.documents->groups.empty());
}

TEST(DocumentFiles, xml_of_the_directory_and_those_right_below_it_by_name) {
  const Folder folder;
  folder.file("operator-policy.xml", "p");
  folder.file("groups/b.xml", "b");
  folder.file("groups/a.xml", "a");
  folder.file("groups/notes.txt", "x");
  folder.file("groups/.hidden.xml", "x");
  folder.file(".data/c.xml", "x");
  folder.file("groups/deeper/d.xml", "x");
  EXPECT_EQ(names(read_document_files(folder.path(), 10, 100)), "groups/a.xml groups/b.xml operator-policy.xml ");
  // As configuration maps of containers are: links to files in a hidden directory.
  fs::create_symlink("../.data/c.xml", folder.path() + "/groups/c.xml");
  EXPECT_EQ(names(read_document_files(folder.path(), 10, 100)),
            "groups/a.xml groups/b.xml groups/c.xml operator-policy.xml ");
}

TEST(DocumentFiles, limits_and_what_cannot_be_read_are_named) {
  const Folder folder;
  folder.file("groups/a.xml", "12345");
  folder.file("groups/b.xml", "12345");
  const std::string at = folder.path();
  EXPECT_EQ(names(read_document_files(at, 1, 100)), at + ": holds more files than --documents-files-max");
  EXPECT_EQ(names(read_document_files(at, 2, 9)), at + ": all files together are longer than --documents-bytes-max");
  EXPECT_EQ(names(read_document_files(at, 2, 10)), "groups/a.xml groups/b.xml ");
  EXPECT_EQ(names(read_document_files(at + "/none", 2, 10)), at + "/none: No such file or directory");
  EXPECT_EQ(names(read_document_files(at + "/groups/a.xml", 2, 10)), at + "/groups/a.xml: Not a directory");
  fs::create_symlink("nowhere", at + "/groups/c.xml");
  EXPECT_EQ(names(read_document_files(at, 3, 100)), at + "/groups/c.xml: No such file or directory");
  fs::remove(at + "/groups/c.xml");
  ASSERT_EQ(::mkfifo((at + "/groups/c.xml").c_str(), 0600), 0);  // is not waited for
  EXPECT_EQ(names(read_document_files(at, 3, 100)), at + "/groups/c.xml: is not a file");
}

TEST(DocumentFiles, a_mistake_in_a_document_names_flag_file_and_line) {
  const Folder folder;
  folder.file("groups/team.xml", group);
  EXPECT_EQ(load({"--documents", folder.path()}).error, "");
  folder.file("operator-policy.xml",
              "<operator-policy xmlns='urn:parley:operator-policy'>\n<servce/></operator-policy>");
  EXPECT_EQ(load({"--documents", folder.path()}).error,
            "--documents: " + folder.path() + "/operator-policy.xml: line 2: <servce> is not known");
  fs::remove(folder.path() + "/operator-policy.xml");
  EXPECT_EQ(load({"--documents", folder.path(), "--group", "team=a"}).error,
            "--group: sip:team@example.org is in groups/team.xml, too");
}

TEST(DocumentFiles, who_else_may_write_them_is_warned_of) {
  const Folder folder;
  folder.file("groups/team.xml", group);
  fs::permissions(folder.path() + "/groups/team.xml", fs::perms::others_write, fs::perm_options::add);
  const Loaded loaded = load({"--documents", folder.path()});
  ASSERT_EQ(loaded.error, "");
  const std::string warning =
      "--documents: " + folder.path() + "/groups/team.xml: may be written by every user of this host";
  EXPECT_NE(std::find(loaded.warnings.begin(), loaded.warnings.end(), warning), loaded.warnings.end());
}

}  // namespace
}  // namespace parley::parleyd

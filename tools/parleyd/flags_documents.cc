// tools/parleyd/flags_documents.cc - the flags of documents and groups.
#include "tools/parleyd/flags_documents.h"

#include <cstdint>

#include "policy/documents.h"

namespace parley::parleyd {

void add_documents(FlagTable& flags, Settings& s, RawDocuments& raw) {
  flags.group("Groups and documents");
  flags.text("--documents", s.documents, "DIR",
             "Directory of groups/*.xml, access-rules/USER.xml, resource-lists/USER.xml, operator-policy.xml and "
             "user-defaults.xml. Read again at SIGHUP: a mistake in one of them leaves all as they were.");
  flags.list(
      "--group", raw.groups, "URI=NAME,NAME,...",
      "A group whose members are invited when one of them begins its session: sip:team@example.org=alice,bob. Names "
      "without a domain are of the first --domain. A room, or rules of its own, needs a document.");
  flags.count("--documents-files-max", s.documents_files_max, 1, 10'000'000,
              "Files below --documents; with more, they are refused.");
  flags.size(
      "--documents-bytes-max", s.documents_bytes_max, mib, 65'536 * mib,
      "All files below --documents together. What is read of them takes up to ten times as much memory, twice during a "
      "reload.");
}

void finish_documents(Settings& s, const RawDocuments& raw) {
  for (const std::string& text : raw.groups) {
    std::string why;
    auto group = policy::parse_group_spec(text, home_domain(s), why);
    if (!group) FlagTable::refuse("--group", "'" + text + "' " + why);
    s.groups.push_back(std::move(*group));
  }
}

}  // namespace parley::parleyd

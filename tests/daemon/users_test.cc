// tests/daemon/users_test.cc - the users file and --user: digests in, secrets out.
#include "tools/parleyd/users.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace parley::parleyd {
namespace {

using core::DigestAlgorithm;

// RFC 7616 section 3.9.1: Mufasa, http-auth@example.org, "Circle of Life"
constexpr const char* ha1_md5 = "3d78807defe7de2157e2b0b6573a855f";
constexpr const char* ha1_sha256 = "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232";
constexpr const char* realm = "http-auth@example.org";

TEST(Users, secrets_become_digests_and_are_wiped) {
  std::vector<std::string> specs = {"Mufasa:Circle of Life"};
  const Users users = digest_and_wipe(specs, realm);
  EXPECT_TRUE(specs.empty());
  ASSERT_TRUE(users.contains("Mufasa"));
  EXPECT_EQ(users.at("Mufasa").ha1.at(DigestAlgorithm::md5), ha1_md5);
  EXPECT_EQ(users.at("Mufasa").ha1.at(DigestAlgorithm::sha256), ha1_sha256);
  EXPECT_EQ(lacking(users, DigestAlgorithm::sha512_256), 0U);
}

TEST(Users, a_file_holds_one_digest_per_line) {
  const std::string text = "# people\n\nMufasa:http-auth@example.org:SHA-256:" + std::string(ha1_sha256) +
                           "\r\nMufasa:http-auth@example.org:MD5:3D78807DEFE7DE2157E2B0B6573A855F\n"
                           "Simba:http-auth@example.org:MD5:" +
                           ha1_md5;
  const UsersResult result = parse_users(text, realm);
  ASSERT_EQ(result.error, "");
  EXPECT_EQ(result.users.size(), 2U);
  EXPECT_EQ(result.users.at("Mufasa").ha1.at(DigestAlgorithm::md5), ha1_md5);
  EXPECT_EQ(lacking(result.users, DigestAlgorithm::sha256), 1U);
}

TEST(Users, lines_of_other_realms_are_counted_and_not_used) {
  const UsersResult result = parse_users("a:elsewhere:MD5:" + std::string(ha1_md5) + "\n", realm);
  EXPECT_EQ(result.error, "");
  EXPECT_TRUE(result.users.empty());
  ASSERT_EQ(result.warnings.size(), 1U);
  EXPECT_NE(result.warnings[0].find("another realm"), std::string::npos);
}

TEST(Users, a_realm_may_hold_colons) {
  const UsersResult result = parse_users("a:[::1]:MD5:" + std::string(ha1_md5) + "\n", "[::1]");
  EXPECT_EQ(result.error, "");
  EXPECT_TRUE(result.users.contains("a"));
}

TEST(Users, a_bad_line_is_named_by_number_and_not_shown) {
  const std::string good = "a:http-auth@example.org:MD5:" + std::string(ha1_md5) + "\n";
  for (const std::string& bad :
       {std::string("alice:secret"), std::string("alice"), std::string(":r:MD5:") + ha1_md5, std::string("::"),
        std::string("b:r:SHA-1:") + ha1_md5, std::string("b:r:MD5:xyz"), std::string("b:r:MD5:") + ha1_sha256,
        std::string("b:r:SHA-256:") + ha1_md5, std::string("a:http-auth@example.org:MD5:") + ha1_md5}) {
    const UsersResult result = parse_users(good + bad + "\n", realm);
    EXPECT_EQ(result.error.rfind("line 2 ", 0), 0U) << bad << " -> " << result.error;
    EXPECT_EQ(result.error.find("secret"), std::string::npos);
    EXPECT_TRUE(result.users.empty());
  }
}

TEST(Users, one_name_in_two_places_is_an_error) {
  std::vector<std::string> specs = {"alice:secret"};
  Users users = digest_and_wipe(specs, realm);
  EXPECT_NE(merge_users(users, users), "");
  EXPECT_EQ(merge_users(users, {{"bob", {}}}), "");
  EXPECT_EQ(users.size(), 2U);
}

TEST(Users, a_file_that_is_not_there_or_no_file_is_an_error) {
  EXPECT_NE(read_users_file("/nonexistent/users", realm).error, "");
  EXPECT_NE(read_users_file("/tmp", realm).error, "");
}

TEST(Users, a_file_that_everybody_may_read_is_worth_a_warning) {
  char path[] = "/tmp/parley-users-XXXXXX";
  const int fd = ::mkstemp(path);
  ASSERT_GE(fd, 0);
  ::fchmod(fd, 0640);
  EXPECT_TRUE(read_users_file(path, realm).warnings.empty());
  ::fchmod(fd, 0644);
  EXPECT_EQ(read_users_file(path, realm).warnings.size(), 1U);
  ::close(fd);
  ::unlink(path);
}

}  // namespace
}  // namespace parley::parleyd

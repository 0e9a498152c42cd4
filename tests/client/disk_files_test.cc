// Files of others on a disk.
#include "tools/parley/disk_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace parley::tests {
namespace {

using namespace client;

constexpr std::uint32_t of_message = FileStore::of_message;

struct OnDisk : ::testing::Test {
  OnDisk() {
    std::string pattern = std::filesystem::temp_directory_path() / "parley-files-XXXXXX";
    place = ::mkdtemp(pattern.data());
  }
  ~OnDisk() override { std::filesystem::remove_all(place); }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(place + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& name, const std::string& bytes) const { std::ofstream(place + "/" + name) << bytes; }
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(place), {}));
  }
  std::string place;
};

TEST_F(OnDisk, each_session_has_one_file_at_a_time) {
  DiskFiles files(place);
  const FileOffer offer{.name = "a", .type = "text/plain", .size = 3};
  ASSERT_EQ(files.begin(7, offer), 0);
  EXPECT_NE(files.begin(7, offer), 0);
  ASSERT_EQ(files.begin(of_message, offer), 0) << "under another name";
  ASSERT_TRUE(files.write(7, 1, "abc"));
  ASSERT_TRUE(files.write(of_message, 1, "def"));
  EXPECT_EQ(files.end(of_message, true).path, place + "/1-a");
  const FileStore::Result result = files.end(7, true);
  EXPECT_TRUE(result.good) << result.why;
  EXPECT_EQ(read("a"), "abc");
  EXPECT_EQ(read("1-a"), "def");
  EXPECT_EQ(count(), 2U);
}

TEST_F(OnDisk, what_others_make_meanwhile_is_not_replaced) {
  DiskFiles files(place);
  ASSERT_EQ(files.begin(7, {.name = "a", .type = "text/plain", .size = 3}), 0);
  ASSERT_TRUE(files.write(7, 1, "abc"));
  put("a", "mine");
  put("1-a", "mine too");
  const FileStore::Result result = files.end(7, true);
  EXPECT_TRUE(result.good) << result.why;
  EXPECT_EQ(result.path, place + "/2-a");
  EXPECT_EQ(read("a"), "mine");
  EXPECT_EQ(read("1-a"), "mine too");
  EXPECT_EQ(read("2-a"), "abc");
  EXPECT_EQ(count(), 3U);
}

TEST_F(OnDisk, nothing_is_left_of_a_message_that_can_not_be_saved) {
  DiskFiles files(place);
  for (const std::uint32_t session : {of_message, 7U}) {
    ASSERT_EQ(files.begin(session, {.name = "a", .type = "text/plain", .size = 3}), 0);
    ASSERT_TRUE(files.write(session, 1, "ab"));
    const FileStore::Result result = files.end(session, false);
    EXPECT_FALSE(result.good);
    EXPECT_EQ(result.path, session == of_message ? "" : place + "/a.part");
    EXPECT_EQ(count(), session == of_message ? 0U : 1U);
  }
}

}  // namespace
}  // namespace parley::tests

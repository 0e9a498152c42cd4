// tests/core/log_test.cc - one line per record whatever a peer put into it, cut, dropped and counted, never waited for.
#include "core/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace parley::core {
namespace {

using Level = LogRecord::Level;

class TempFile {
 public:
  TempFile() {
    std::string pattern = testing::TempDir() + "parley_log_XXXXXX";
    const int fd = ::mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    path_ = pattern;
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream in(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::string path_;
};

std::unique_ptr<Logger> open(const LogConfig& config) {
  std::string error;
  auto logger = Logger::open(config, &error);
  EXPECT_NE(logger, nullptr) << error;
  return logger;
}

TEST(Log, a_record_is_one_line_with_time_level_and_shard) {
  const TempFile file;
  const auto logger = open({.shards = 2, .file = file.path()});
  logger->write(1, {Level::warn, "session_ended session=7"});
  logger->write_from_outside(Level::error, "bind_failed");
  logger->flush();
  const auto lines = file.lines();
  ASSERT_EQ(lines.size(), 2U);
  const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";
  EXPECT_TRUE(std::regex_match(lines[0], std::regex(time + " warn 1 session_ended session=7"))) << lines[0];
  EXPECT_TRUE(std::regex_match(lines[1], std::regex(time + " error - bind_failed"))) << lines[1];
}

TEST(Log, json_lines) {
  const TempFile file;
  const auto logger = open({.format = LogFormat::json, .file = file.path()});
  logger->write(0, Level::info, "a \"b\" \\ \x01");
  logger->write_from_outside(Level::info, "x");
  logger->flush();
  const auto lines = file.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].starts_with(R"({"time":"20)"));
  EXPECT_TRUE(lines[0].ends_with(R"(Z","level":"info","shard":0,"text":"a \"b\" \\ \u0001"})")) << lines[0];
  EXPECT_TRUE(lines[1].ends_with(R"(Z","level":"info","text":"x"})")) << lines[1];
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}
std::string json_escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

TEST(Log, X29_nothing_a_peer_writes_can_end_the_line_or_talk_to_the_terminal) {
  EXPECT_EQ(escaped("plain key=value"), "plain key=value");
  EXPECT_EQ(escaped("a\r\n2026 fake"), "a\\x0d\\x0a2026 fake");
  EXPECT_EQ(escaped("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(escaped("\\x0a"), "\\\\x0a");
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\u{009b}31m");                        // C1 CSI
  EXPECT_EQ(escaped("\xe2\x80\xae"), "\\u{202e}");  // right-to-left override
  EXPECT_EQ(escaped("\xe2\x80\xa8\xe2\x81\xa6"), "\\u{2028}\\u{2066}");
  EXPECT_EQ(escaped("\xff\xc3"), "\\xff\\xc3");  // never valid; cut short
  EXPECT_EQ(escaped("\xc0\x8a"), "\\xc0\\x8a");  // line feed in overlong form
  EXPECT_EQ(escaped("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(json_escaped("\"\\\n\xff\xc2\x85\xe2\x80\xa9"), "\\\"\\\\\\u000a\\ufffd\\u0085\\u2029");
}

TEST(Log, X29_every_byte_pair_stays_on_one_line_of_printable_text) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string raw = {static_cast<char>(a), static_cast<char>(b)};
      for (const std::string& out : {escaped(raw), json_escaped(raw)}) {
        for (const char c : out) {
          ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << a << ' ' << b;
        }
      }
    }
  }
}

TEST(Log, long_texts_are_cut_and_say_so) {
  const TempFile file;
  const auto logger = open({.file = file.path()});
  logger->write(0, Level::info, std::string(log_text_bytes_max, 'a'));
  logger->write(0, Level::info, std::string(log_text_bytes_max + 1, 'b'));
  logger->flush();
  const auto lines = file.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].ends_with(" " + std::string(log_text_bytes_max, 'a')));
  EXPECT_TRUE(lines[1].ends_with(" " + std::string(log_text_bytes_max - 3, 'b') + "..."));
}

TEST(Log, the_level_can_be_changed_while_running) {
  const TempFile file;
  const auto logger = open({.file = file.path()});
  logger->write(0, Level::debug, "one");
  logger->set_level(Level::debug);
  EXPECT_TRUE(logger->enabled(Level::debug));
  logger->write(0, Level::debug, "two");
  logger->set_level(Level::error);
  logger->write(0, Level::warn, "three");
  logger->flush();
  const auto lines = file.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].ends_with("two"));
}

// Nothing is lost without being counted: lines and the reported drops add up, under TSan too.
TEST(Log, shards_write_beside_each_other_and_every_record_is_written_or_counted) {
  constexpr std::uint32_t shards = 3;
  constexpr int records = 20'000;
  const TempFile file;
  std::uint64_t dropped = 0;
  {
    const auto logger = open({.shards = shards, .ring_records = 16, .file = file.path()});
    std::vector<std::thread> threads;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      threads.emplace_back([&, shard] {
        for (int i = 0; i < records; ++i) logger->write(shard, Level::info, "n=" + std::to_string(i));
      });
    }
    for (int i = 0; i < 100; ++i) logger->write_from_outside(Level::info, "outside");
    for (std::thread& thread : threads) thread.join();
    dropped = logger->dropped();
    EXPECT_EQ(logger->write_errors(), 0U);
  }
  std::uint64_t written = 0;
  std::uint64_t told = 0;
  std::vector<int> last(shards, -1);
  const std::regex shape(R"(\S+ (\w+) (\S) (n=(\d+)|outside|log_records_dropped count=(\d+)))");
  for (const std::string& line : file.lines()) {
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, shape)) << line;
    if (match[5].matched) {
      told += std::stoull(match[5]);
      continue;
    }
    ++written;
    if (match[4].matched) {
      const auto shard = static_cast<std::size_t>(std::stoi(match[2]));
      ASSERT_GT(std::stoi(match[4]), last.at(shard)) << "order within a shard";
      last.at(shard) = std::stoi(match[4]);
    }
  }
  EXPECT_EQ(told, dropped);
  EXPECT_EQ(written + dropped, shards * records + 100U);
}

TEST(Log, rotation_continues_in_the_new_file) {
  const TempFile file;
  const std::string rotated = file.path() + ".1";
  const auto logger = open({.file = file.path()});
  logger->write(0, Level::info, "before");
  logger->flush();
  ASSERT_EQ(std::rename(file.path().c_str(), rotated.c_str()), 0);
  logger->reopen();
  logger->flush();
  logger->write(0, Level::info, "after");
  logger->flush();
  std::remove(rotated.c_str());
  const auto lines = file.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].ends_with("after"));
}

TEST(Log, a_file_that_cannot_be_opened_is_an_answer_not_an_end) {
  std::string error;
  EXPECT_EQ(Logger::open({.file = "/proc/no/such/file"}, &error), nullptr);
  EXPECT_FALSE(error.empty());
}

}  // namespace
}  // namespace parley::core

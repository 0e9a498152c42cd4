// tests/sip/torture_test.cc - the messages of RFC 4475 and RFC 5118, each with the verdict of torture/expected.tsv: as
// one datagram, and on a stream whole, at every cut and byte by byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sip/message_reader.h"

namespace parley::tests {
namespace {

struct Case {
  std::string file;
  std::string datagram;
  std::string stream;
};

std::string slurp(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Case> cases() {
  std::vector<Case> found;
  std::ifstream in(std::string(TORTURE_FOLDER) + "/expected.tsv");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    Case one;
    std::string section;
    std::getline(fields, one.file, '\t');
    std::getline(fields, section, '\t');
    std::getline(fields, one.datagram, '\t');
    std::getline(fields, one.stream, '\t');
    if (one.stream == "same") one.stream = one.datagram;
    found.push_back(one);
  }
  return found;
}

// All verdicts among the lines, and how it ended.
std::string verdicts(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) {
    const bool verdict = line.starts_with("accept") || line.starts_with("drop: ") || line == "incomplete" ||
                         (line.size() > 4 && line.find_first_not_of("0123456789") == 3);
    if (verdict) all += (all.empty() ? "" : "; ") + line;
  }
  return all;
}

class Torture : public testing::TestWithParam<Case> {};

TEST_P(Torture, DatagramGetsItsVerdict) {
  const std::string bytes = slurp(std::string(TORTURE_FOLDER) + "/" + GetParam().file);
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(verdicts(datagram_lines(bytes)), GetParam().datagram);
}

TEST_P(Torture, StreamReadsTheSameAtEveryCut) {
  const std::string bytes = slurp(std::string(TORTURE_FOLDER) + "/" + GetParam().file);
  MessageReader whole;
  whole.feed(bytes);
  const std::vector<std::string> expected = whole.finish();
  EXPECT_EQ(verdicts(expected), GetParam().stream);
  MessageReader bytewise;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytewise.feed({&bytes[i], 1});
  EXPECT_EQ(bytewise.finish(), expected);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    MessageReader reader;
    reader.feed(std::string_view(bytes).substr(0, cut));
    reader.feed(std::string_view(bytes).substr(cut));
    ASSERT_EQ(reader.finish(), expected) << "cut at " << cut;
  }
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.file.substr(0, info.param.file.rfind('.'));
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Messages, Torture, testing::ValuesIn(cases()), case_name);

TEST(TortureList, NamesEveryFile) {
  std::set<std::string> listed;
  for (const Case& one : cases()) listed.insert(one.file);
  std::set<std::string> present;
  for (const char* const folder : {"rfc4475", "rfc5118"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(TORTURE_FOLDER) + "/" + folder)) {
      present.insert(std::string(folder) + "/" + entry.path().filename().string());
    }
  }
  EXPECT_EQ(listed, present);
  EXPECT_EQ(present.size(), 49U + 12U);
}

}  // namespace
}  // namespace parley::tests

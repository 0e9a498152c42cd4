// tests/loops/certificates.h - certificates made on the spot, in files of a temporary folder.
#pragma once

#include <string>
#include <vector>

namespace parley::loops {

struct Identity {
  std::string certificate_file;
  std::string key_file;
};

class TestCa {
 public:
  TestCa();
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }
  // A certificate of this CA for these dNSNames; `expired` ended yesterday.
  Identity issue(const std::vector<std::string>& names, bool expired = false);

 private:
  struct Keys;
  Keys* ca_;
  std::string folder_;
  std::string ca_file_;
  std::vector<std::string> files_;
  int serial_ = 1;
};

}  // namespace parley::loops

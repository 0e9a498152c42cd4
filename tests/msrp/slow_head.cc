// tests/msrp/slow_head.cc - the slow reader.
#include "tests/msrp/slow_head.h"

#include <cctype>
#include <set>

#include "tests/msrp/slow_uri.h"

namespace parley::tests {
namespace {

struct Stop {
  SlowHead::Outcome outcome;
  std::string error;
};

bool digit(int c) { return c >= '0' && c <= '9'; }
bool upper(int c) { return c >= 'A' && c <= 'Z'; }
bool letter(int c) { return upper(c) || (c >= 'a' && c <= 'z'); }
bool ident(int c) { return letter(c) || digit(c) || c == '.' || c == '-' || c == '+' || c == '%' || c == '='; }
bool text(int c) { return c == '\t' || (c >= 0x20 && c <= 0x7e) || c >= 0x80; }
bool token(int c) {
  return c > 0x20 && c < 0x7f && std::string("\"(),/:;<=>?@[\\]").find(static_cast<char>(c)) == std::string::npos;
}

std::string lower(std::string s) {
  for (char& c : s) c = upper(c) ? static_cast<char>(c + 32) : c;
  return s;
}

class Reader {
 public:
  Reader(const std::string& bytes, std::size_t bytes_max, std::size_t headers_max, SlowHead& head)
      : bytes_(bytes), bytes_max_(bytes_max), headers_max_(headers_max), head_(head) {}

  void message() {
    start_line();
    path_line("to-path: ", head_.to_path);
    path_line("from-path: ", head_.from_path);
    const std::size_t headers_at = at_;
    for (;;) {
      class_ = "header_syntax";
      const std::size_t line_at = at_;
      const int c = next();
      if (c == '\r') bad("content_type");
      if (c == '-') break;
      if (!letter(c)) bad();
      const bool body_follows = header(line_at, c);
      head_.headers = bytes_.substr(headers_at, at_ - headers_at);
      if (body_follows) {
        class_ = "content_type";
        expect("\r");
        if (next() != '\n' || head_.response) bad();
        head_.has_body = true;
        head_.length = at_;
        return;
      }
    }
    if (mime_) bad("content_type");
    class_ = "end_line";
    expect("------");
    expect(head_.tid);
    const int flag = next();
    if (flag != '+' && flag != '$' && flag != '#') bad();
    head_.flag = static_cast<char>(flag);
    expect("\r\n");
    head_.length = at_;
  }

 private:
  [[noreturn]] void bad() { throw Stop{SlowHead::Outcome::bad, class_}; }
  [[noreturn]] void bad(const std::string& error) { throw Stop{SlowHead::Outcome::bad, error}; }

  int next() {
    if (at_ >= bytes_max_) bad("too_long");
    if (at_ >= bytes_.size()) throw Stop{SlowHead::Outcome::need_more, ""};
    return static_cast<unsigned char>(bytes_[at_++]);
  }

  void expect(const std::string& literal) {
    for (const char c : literal) {
      if (next() != static_cast<unsigned char>(c)) bad();
    }
  }

  void start_line() {
    class_ = "start_line";
    expect("MSRP ");
    int c = next();
    if (!letter(c) && !digit(c)) bad();
    while (ident(c)) {
      if (head_.tid.size() == 32) bad("tid_length");
      head_.tid += static_cast<char>(c);
      c = next();
    }
    if (c != ' ') bad();
    if (head_.tid.size() < 4) bad("tid_length");
    c = next();
    if (digit(c)) {
      head_.response = true;
      for (int i = 0; i < 3; ++i) {
        if (!digit(c)) bad();
        head_.status = head_.status * 10 + (c - '0');
        c = next();
      }
      if (c == ' ') {
        for (c = next(); text(c); c = next()) head_.comment += static_cast<char>(c);
      }
    } else {
      if (!upper(c)) bad();
      for (; upper(c); c = next()) head_.method += static_cast<char>(c);
    }
    if (c != '\r') bad();
    expect("\n");
  }

  void path_line(const std::string& name, std::string& value) {
    class_ = "path";
    for (const char expected : name) {
      if (lower(std::string(1, static_cast<char>(next())))[0] != expected) bad();
    }
    head_.inside_path = true;
    int c = next();
    for (; c != '\r'; c = next()) value += static_cast<char>(c);
    head_.inside_path = false;
    int uris = 0;
    for (std::size_t from = 0; from <= value.size(); ++uris) {
      const std::size_t space = std::min(value.find(' ', from), value.size());
      const std::string uri = value.substr(from, space - from);
      if (uri.size() > 512 || !slow_uri(uri).ok) bad();
      from = space + 1;
    }
    if (uris > 8) bad();
    expect("\n");
  }

  std::uint64_t number(int& c) {
    if (!digit(c)) bad();
    unsigned __int128 n = 0;
    for (; digit(c); c = next()) {
      n = n * 10 + static_cast<unsigned>(c - '0');
      if (n > 0x7fffffffffffffffULL) bad();
    }
    return static_cast<std::uint64_t>(n);
  }

  void byte_range(int c) {
    head_.range[0] = number(c);
    for (const int i : {1, 2}) {
      if (c != (i == 1 ? '-' : '/')) bad();
      c = next();
      if (c == '*') {
        c = next();
      } else {
        head_.range[i] = number(c);
      }
    }
    while (c == ' ' || c == '\t') c = next();
    if (c != '\r') bad();
  }

  // True when a body must follow.
  bool header(std::size_t line_at, int c) {
    std::string name;
    for (; token(c); c = next()) name += static_cast<char>(c);
    if (c != ':') bad();
    name = lower(name);
    if (name == "byte-range") class_ = "byte_range";
    expect(" ");
    for (c = next(); c == ' ' || c == '\t';) c = next();
    std::string value;
    if (name == "byte-range") {
      const std::size_t value_at = at_ - 1;
      byte_range(c);
      value = bytes_.substr(value_at, at_ - 1 - value_at);
    } else {
      for (; text(c); c = next()) value += static_cast<char>(c);
      if (c != '\r') bad();
    }
    expect("\n");
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.pop_back();
    keep(name, value, line_at);
    return name == "content-type";
  }

  void keep(const std::string& name, const std::string& value, std::size_t line_at) {
    static const std::set<std::string> once{"message-id",   "byte-range",   "success-report", "failure-report",
                                            "status",       "content-type", "expires",        "min-expires",
                                            "max-expires",  "use-path",     "authorization",  "authentication-info",
                                            "use-nickname", "to-path",      "from-path"};
    if (count_++ == headers_max_) bad("too_many_headers");
    if (name == "message-id") {
      if (value.empty() || value.size() > 128) bad("header_syntax");
      for (const char c : value) {
        if (c <= ' ' || c >= 0x7f) bad("header_syntax");
      }
    }
    if (name.substr(0, 8) == "content-") mime_ = true;
    if (name == "to-path" || name == "from-path") bad("duplicate");
    if (once.count(name) != 0 && head_.values.count(name) != 0) bad("duplicate");
    if (name == "byte-range") head_.range_line = bytes_.substr(line_at, at_ - line_at);
    head_.values[name].push_back(value);
  }

  const std::string& bytes_;
  const std::size_t bytes_max_;
  const std::size_t headers_max_;
  SlowHead& head_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  bool mime_ = false;
  std::string class_;  // what an unexpected character means here
};

}  // namespace

SlowHead slow_head(const std::string& bytes, std::size_t bytes_max, std::size_t headers_max) {
  SlowHead head;
  try {
    Reader(bytes, bytes_max, headers_max, head).message();
    head.outcome = SlowHead::Outcome::done;
  } catch (const Stop& stop) {
    head.outcome = stop.outcome;
    head.error = stop.error;
  }
  return head;
}

}  // namespace parley::tests

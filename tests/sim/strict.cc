// tests/sim/strict.cc - see strict.h.
#include "tests/sim/strict.h"

#include <algorithm>

namespace parley::sim {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool alnum(char c) { return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// ident = ALPHANUM 3*31ident-char
bool is_ident(std::string_view text) {
  if (text.size() < 4 || text.size() > 32 || !alnum(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return alnum(c) || c == '.' || c == '-' || c == '+' || c == '%' || c == '='; });
}

// 1*DIGIT within 2^63-1
bool number(std::string_view text, std::uint64_t& out) {
  if (text.empty() || text.size() > 19) return false;
  out = 0;
  for (char c : text) {
    if (!digit(c)) return false;
    out = out * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return out <= 0x7fffffffffffffffULL;
}

// msrp-scheme "://" authority ["/" session-id] ";" transport *( ";" URI-parameter )
bool is_uri(std::string_view text) {
  std::string_view rest;
  if (text.starts_with("msrp://")) rest = text.substr(7);
  else if (text.starts_with("msrps://")) rest = text.substr(8);
  else return false;
  const std::size_t semicolon = rest.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0 || semicolon + 1 >= rest.size()) return false;
  return rest.find_first_of(" \t\r\n\"<>") == std::string_view::npos;
}

bool path(std::string_view text, std::vector<std::string>& out) {
  while (true) {
    const std::size_t space = text.find(' ');
    const std::string_view uri = text.substr(0, space);
    if (!is_uri(uri)) return false;
    out.emplace_back(uri);
    if (space == std::string_view::npos) return true;
    text.remove_prefix(space + 1);
  }
}

bool byte_range(std::string_view text, Frame& frame) {
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return false;
  std::uint64_t value = 0;
  if (!number(text.substr(0, dash), frame.start)) return false;
  const std::string_view end = text.substr(dash + 1, slash - dash - 1);
  const std::string_view total = text.substr(slash + 1);
  if (end != "*") {
    if (!number(end, value)) return false;
    frame.end = value;
  }
  if (total != "*") {
    if (!number(total, value)) return false;
    frame.total = value;
  }
  frame.has_range = true;
  return frame.start >= 1 && (!frame.end || *frame.end + 1 >= frame.start);
}

}  // namespace

const std::string* Frame::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool StrictReader::bad(std::string reason) {
  violation_ = std::move(reason);
  return false;
}

std::vector<Frame> StrictReader::feed(std::string_view bytes) {
  std::vector<Frame> frames;
  if (!violation_.empty()) return frames;
  buffer_.append(bytes);
  while (true) {
    Frame frame;
    const Step step = next(frame);
    if (step != Step::frame) break;
    frames.push_back(std::move(frame));
  }
  buffer_.erase(0, used_);
  scan_from_ -= std::min(scan_from_, used_);
  body_at_ -= std::min(body_at_, used_);
  used_ = 0;
  return frames;
}

StrictReader::Step StrictReader::next(Frame& frame) {
  if (!in_body_) {
    if (used_ == buffer_.size()) return Step::need_more;
    // The head ends with an empty line (a body follows) or with an end-line of its own transaction.
    const std::string_view all = std::string_view(buffer_).substr(used_);
    const std::size_t line = all.find("\r\n");
    if (line == std::string_view::npos) {
      if (all.size() > 200) bad("start line too long");
      if (!std::string_view("MSRP ").starts_with(all.substr(0, 5))) bad("not MSRP");
      return violation_.empty() ? Step::need_more : Step::bad;
    }
    const std::size_t blank = all.find("\r\n\r\n");
    const std::size_t dashes = all.find("\r\n-------");
    frame_ = Frame{};
    if (dashes != std::string_view::npos && dashes < blank) {
      const std::size_t end = all.find("\r\n", dashes + 2);
      if (end == std::string_view::npos) return Step::need_more;
      if (!read_head(all.substr(0, dashes), frame_)) return Step::bad;
      const std::string_view end_line = all.substr(dashes + 9, end - dashes - 9);
      if (end_line.size() != frame_.tid.size() + 1 || !end_line.starts_with(frame_.tid)) {
        bad("end-line of another transaction after a head without body");
        return Step::bad;
      }
      frame_.flag = end_line.back();
      used_ += end + 2;
      scan_from_ = used_;
      if (!check(frame_)) return Step::bad;
      frame = std::move(frame_);
      return Step::frame;
    }
    if (blank == std::string_view::npos) {
      if (all.size() > 65536) bad("head does not end");
      return violation_.empty() ? Step::need_more : Step::bad;
    }
    if (!read_head(all.substr(0, blank), frame_)) return Step::bad;
    if (frame_.headers.empty() || frame_.headers.back().first != "Content-Type") {
      bad("a body without Content-Type as the last header");
      return Step::bad;
    }
    frame_.has_body = true;
    in_body_ = true;
    body_at_ = used_ + blank + 4;
    scan_from_ = body_at_;
  }
  const std::string mark = "\r\n-------" + frame_.tid;
  while (true) {
    const std::size_t at = buffer_.find(mark, scan_from_);
    if (at == std::string::npos) {
      const std::size_t keep = mark.size() + 2;
      scan_from_ = std::max(scan_from_, buffer_.size() > keep ? buffer_.size() - keep : 0);
      return Step::need_more;
    }
    const std::size_t tail = at + mark.size();
    if (buffer_.size() < tail + 3) {
      scan_from_ = at;
      return Step::need_more;
    }
    const char flag = buffer_[tail];
    if ((flag == '$' || flag == '+' || flag == '#') && buffer_[tail + 1] == '\r' && buffer_[tail + 2] == '\n') {
      frame_.flag = flag;
      frame_.body.assign(buffer_, body_at_, at - body_at_);
      in_body_ = false;
      used_ = tail + 3;
      scan_from_ = used_;
      if (!check(frame_)) return Step::bad;
      frame = std::move(frame_);
      return Step::frame;
    }
    scan_from_ = at + 2;
  }
}

bool StrictReader::read_head(std::string_view head, Frame& frame) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = head.find("\r\n");
    lines.push_back(head.substr(0, end));
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  std::string_view start = lines[0];
  if (!start.starts_with("MSRP ")) return bad("start line: " + std::string(start.substr(0, 40)));
  start.remove_prefix(5);
  const std::size_t space = start.find(' ');
  if (space == std::string_view::npos || !is_ident(start.substr(0, space))) return bad("transaction id");
  frame.tid = start.substr(0, space);
  start.remove_prefix(space + 1);
  if (!start.empty() && digit(start[0])) {
    std::uint64_t status = 0;
    if (start.size() < 3 || !number(start.substr(0, 3), status)) return bad("status");
    frame.status = static_cast<int>(status);
    if (start.size() > 3) {
      if (start[3] != ' ') return bad("status");
      frame.comment = start.substr(4);
    }
  } else {
    frame.request = true;
    frame.method = start;
    if (start.empty() || !std::all_of(start.begin(), start.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
      return bad("method");
    }
  }
  if (lines.size() < 3) return bad("fewer than two headers");
  if (!lines[1].starts_with("To-Path: ") || !path(lines[1].substr(9), frame.to_path)) return bad("To-Path");
  if (!lines[2].starts_with("From-Path: ") || !path(lines[2].substr(11), frame.from_path)) return bad("From-Path");
  for (std::size_t n = 3; n < lines.size(); ++n) {
    if (!read_header(lines[n], frame)) return false;
  }
  return true;
}

bool StrictReader::read_header(std::string_view line, Frame& frame) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad("header line without a name");
  const std::string_view name = line.substr(0, colon);
  for (char c : name) {
    if (!alnum(c) && c != '-') return bad("header name: " + std::string(name));
  }
  if (line.size() < colon + 2 || line[colon + 1] != ' ') return bad("no space after " + std::string(name) + ":");
  const std::string_view value = line.substr(colon + 2);
  for (char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return bad("control character in " + std::string(name));
  }
  if (name != "WWW-Authenticate" && frame.header(name) != nullptr) return bad("twice: " + std::string(name));
  if (name == "To-Path" || name == "From-Path") return bad("a second path");
  if (!frame.headers.empty() && frame.headers.back().first == "Content-Type") return bad("header after Content-Type");
  frame.headers.emplace_back(name, value);
  if (name == "Byte-Range" && !byte_range(value, frame)) return bad("Byte-Range: " + std::string(value));
  return true;
}

bool StrictReader::check(const Frame& f) {
  if (f.flag != '$' && f.flag != '+' && f.flag != '#') return bad("continuation flag");
  if (!f.request) {
    if (f.has_body) return bad("a response with a body");
    if (f.flag != '$') return bad("a response that goes on");
    return true;
  }
  if (!f.has_body && f.header("Content-Type") != nullptr) return bad("Content-Type without a body, in a " + f.method + " with flag " + f.flag);
  const std::string* failure = f.header("Failure-Report");
  const std::string* success = f.header("Success-Report");
  if (failure != nullptr && *failure != "yes" && *failure != "no" && *failure != "partial") return bad("Failure-Report");
  if (success != nullptr && *success != "yes" && *success != "no") return bad("Success-Report");
  if (f.method == "REPORT") {
    if (f.header("Message-ID") == nullptr) return bad("REPORT without Message-ID");
    if (failure != nullptr || success != nullptr) return bad("REPORT that asks for reports");
    if (f.flag != '$') return bad("REPORT that goes on");
    const std::string* status = f.header("Status");
    if (status == nullptr || !status->starts_with("000 ") || status->size() < 7) return bad("REPORT without Status");
  }
  return true;
}

}  // namespace parley::sim

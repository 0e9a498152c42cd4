// tests/msrp/frame_reader.cc - head parser and body scan driven over pieces, each in its own block.
#include "tests/msrp/frame_reader.h"

#include <array>
#include <utility>

#include "tests/msrp/blocks.h"

namespace parley::tests {

using namespace parley::msrp;

std::string escaped(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (&c == &bytes.back() && c == ' ') {
      out += "\\x20";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte > 0x7e) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

namespace {

std::string line(std::string_view name, std::string_view value) {
  return std::string(name) + (value.empty() ? ":" : ": ") + escaped(value);
}

}  // namespace

void FrameReader::feed(std::string_view piece) {
  while (!piece.empty() && in_ != In::bad) piece = in_ == In::head ? feed_head(piece) : feed_body(piece);
}

std::string_view FrameReader::feed_head(std::string_view piece) {
  const std::size_t before = frame_.size();
  frame_ += piece;
  const ExactBlock block(frame_);
  const Progress progress = parser_.parse(block.view(), limits_, std::exchange(fresh_, false) ? memo_ : nullptr);
  if (progress == Progress::need_more) return {};
  if (progress == Progress::bad) {
    lines_.push_back("bad " + std::string(to_string(parser_.error())) + " at " +
                     std::to_string(parser_.error_offset()));
    if (parser_.error_offset() > frame_.size()) broken_ = "error_offset behind the input";
    in_ = In::bad;
    return {};
  }
  const Head& head = parser_.head();
  if (head.length <= before || head.length > frame_.size()) {
    broken_ = "length outside the last piece";
    in_ = In::bad;
    return {};
  }
  tell_head(block.view());
  piece.remove_prefix(head.length - before);
  if (head.has_body) {
    scan_.start(head.tid.of(block.view()));
    in_ = In::body;
  } else {
    tell_end(head.flag);
  }
  return piece;
}

std::string_view FrameReader::feed_body(std::string_view piece) {
  const ExactBlock block(piece);
  const BodyScan::Result result = scan_.feed(block.view());
  body_ += scan_.released_bytes(result);
  body_ += block.view().substr(0, result.body);
  if (result.body > result.consumed || result.consumed > piece.size()) broken_ = "consumed less than the body";
  if (!result.ended && result.consumed != piece.size()) broken_ = "stopped before the end of the piece";
  if (result.ended && result.consumed == 0) broken_ = "ended without a byte";
  if (!broken_.empty()) {
    in_ = In::bad;
    return {};
  }
  piece.remove_prefix(result.consumed);
  if (result.ended) {
    lines_.push_back(line("body", body_));
    tell_end(result.flag);
  }
  return piece;
}

void FrameReader::tell_head(std::string_view bytes) {
  const Head& head = parser_.head();
  const auto add = [&](std::string_view name, std::string_view value) { lines_.push_back(line(name, value)); };
  const auto add_known = [&](std::string_view name, Span span) {
    if (span.present()) add(name, span.of(bytes));
  };
  if (head.method == Method::response) {
    add("response", std::to_string(head.status));
    add_known("comment", head.comment);
  } else {
    static constexpr std::array names{"response", "SEND", "REPORT", "AUTH", "NICKNAME", "other"};
    add("request", std::string(head.method_name.of(bytes)) + " " + names[static_cast<std::size_t>(head.method)]);
  }
  add("tid", head.tid.of(bytes));
  add("to", head.to_path.of(bytes));
  add("from", head.from_path.of(bytes));
  add_known("message-id", head.message_id);
  if (head.has_range) {
    const auto number = [](std::uint64_t n) { return n == ByteRange::unknown ? "*" : std::to_string(n); };
    add("range", number(head.range.start) + "-" + number(head.range.end) + "/" + number(head.range.total));
    add("range-line", head.byte_range_line.of(bytes));
  }
  if (head.success) add("success", "yes");
  if (head.failure == FailureReport::no) add("failure", "no");
  if (head.failure == FailureReport::partial) add("failure", "partial");
  add_known("status", head.report_status);
  add_known("expires", head.expires);
  add_known("min-expires", head.min_expires);
  add_known("max-expires", head.max_expires);
  add_known("use-path", head.use_path);
  add_known("authorization", head.authorization);
  add_known("authentication-info", head.authentication_info);
  add_known("use-nickname", head.use_nickname);
  for (std::size_t i = 0; i < head.www_authenticate_count; ++i)
    add("www-authenticate", head.www_authenticate[i].of(bytes));
  add_known("content-type", head.content_type);
  add("headers", std::to_string(head.header_count));
  add_known("header lines", head.headers);
  if (head.paths_from_memo) ++memo_hits_;

  if (first_paths_.empty()) {
    first_paths_ = bytes.substr(head.to_path.offset, head.headers.offset - head.to_path.offset);
    first_memo_.to_path_length = head.to_path.length;
    first_memo_.from_path_length = head.from_path.length;
  }
}

void FrameReader::tell_end(Flag flag) {
  lines_.push_back(std::string(in_ == In::body ? "end: " : "end without body: ") + static_cast<char>(flag));
  in_ = In::head;
  frame_.clear();
  body_.clear();
  fresh_ = true;
  parser_.reset();
}

std::vector<std::string> FrameReader::finish() {
  if (in_ == In::body) lines_.push_back(line("open body", body_));
  if (in_ == In::head && !frame_.empty()) lines_.push_back("open head");
  return lines_;
}

PathMemo FrameReader::memo_of_first() const {
  PathMemo memo = first_memo_;
  memo.bytes = first_paths_;
  return memo;
}

}  // namespace parley::tests

// tests/sip/message_reader.cc - see the header.
#include "tests/sip/message_reader.h"

#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

// What is shown of a message when its head is done or given up, and its body.
std::vector<std::string> message_lines(const sip::Head& head, std::string_view bytes, const sip::Carrier& carrier,
                                       std::string_view body, bool* lost = nullptr) {
  sip::Essentials essentials;
  const sip::Verdict verdict = sip::judge(head, bytes, carrier, essentials);
  std::vector<std::string> lines = head_lines(head, bytes);
  lines.push_back(verdict_line(verdict));
  if (lost != nullptr) *lost = verdict.lost_in_stream;
  if (!body.empty()) lines.push_back("body: " + escaped(body));
  return lines;
}

}  // namespace

std::vector<std::string> head_lines(const sip::Head& head, std::string_view bytes) {
  std::vector<std::string> lines;
  if (head.request()) {
    lines.push_back("request: " + std::string(head.method_name.of(bytes)) + " " + escaped(head.uri.of(bytes)));
  } else {
    lines.push_back("response: " + std::to_string(head.status) + " " + escaped(head.reason.of(bytes)));
  }
  for (std::size_t i = 0; i < head.header_count; ++i) {
    const sip::Header& header = head.headers[i];
    const std::string_view name =
        header.id == sip::HeaderId::other ? header.name.of(bytes) : sip::header_name(header.id);
    lines.push_back((header.id == sip::HeaderId::other ? "other " : "") + std::string(name) + " = " +
                    escaped(header.value.of(bytes)));
  }
  return lines;
}

std::string verdict_line(const sip::Verdict& verdict) {
  std::string line = "accept";
  if (verdict.kind == sip::Verdict::Kind::respond)
    line = std::to_string(verdict.status) + " " + std::string(verdict.reason);
  if (verdict.kind == sip::Verdict::Kind::drop) line = "drop: " + std::string(verdict.reason);
  return line + (verdict.lost_in_stream ? " and close" : "");
}

void MessageReader::feed(std::string_view bytes) {
  bytes_ += bytes;
  while (read_one()) {
  }
}

void MessageReader::take(std::size_t bytes) { bytes_.erase(0, bytes); }

bool MessageReader::read_one() {
  if (lost_) return false;
  if (!in_head_) {
    const sip::LeadingLines leading = sip::leading_lines(bytes_);
    take(leading.bytes);
    leading_lines_ += leading.lines;
    if (bytes_.empty() || bytes_ == "\r") return false;
    if (leading_lines_ != 0) lines_.push_back("leading lines: " + std::to_string(leading_lines_));
    leading_lines_ = 0;
    parser_.reset();
    in_head_ = true;
  }
  const ExactBlock block(bytes_);
  const sip::Progress progress = parser_.parse(block.view(), limits_);
  if (progress == sip::Progress::need_more) return false;
  const sip::Head& head = parser_.head();
  const sip::Carrier carrier{.stream = true, .body_bytes = 0};
  const std::size_t body = progress == sip::Progress::bad ? 0 : sip::body_length(head, carrier);
  if (bytes_.size() < head.length + body) return false;
  append(lines_, message_lines(head, block.view(), carrier, block.view().substr(head.length, body), &lost_));
  in_head_ = false;
  take(head.length + body);
  return true;
}

std::vector<std::string> MessageReader::finish() {
  if (leading_lines_ != 0) lines_.push_back("leading lines: " + std::to_string(leading_lines_));
  if (in_head_) lines_.emplace_back("incomplete");
  return lines_;
}

std::vector<std::string> datagram_lines(std::string_view bytes, const sip::HeadLimits& limits) {
  const sip::LeadingLines leading = sip::leading_lines(bytes);
  const ExactBlock block(bytes.substr(leading.bytes));
  sip::HeadParser parser;
  if (parser.parse(block.view(), limits) == sip::Progress::need_more)
    (void)parser.end_of_datagram(block.view(), limits);
  const sip::Head& head = parser.head();
  const sip::Carrier carrier{.stream = false, .body_bytes = block.view().size() - head.length};
  return message_lines(head, block.view(), carrier, block.view().substr(head.length, sip::body_length(head, carrier)));
}

}  // namespace parley::tests

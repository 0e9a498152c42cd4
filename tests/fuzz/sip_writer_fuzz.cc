// tests/fuzz/sip_writer_fuzz.cc - a head that was read well goes on with the same headers in the same order, none
// longer than counted, and the response to it can be read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/writer.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::sip;

template <class Put>
std::string written(std::uint32_t size, const Put& put) {
  std::string room(size, '?');
  parley::core::TextOut out(room.data());
  parley::tests::without_memory(size, [&] { put(out); });
  CHECK(out.size() == size);
  return room;
}

// What put_unfolded makes of a value: every fold one blank.
std::string unfolded(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\r' && value[i] != '\n') {
      out += value[i];
      continue;
    }
    while (i + 1 < value.size() && std::string_view(" \t\r\n").find(value[i + 1]) != std::string_view::npos) ++i;
    if (i + 1 < value.size()) out += ' ';
  }
  return out;
}

struct Line {
  std::string name;
  std::string value;
  bool operator==(const Line&) const = default;
};

std::vector<Line> lines_of(const Head& head, std::string_view bytes) {
  std::vector<Line> lines;
  for (std::size_t i = 0; i < head.header_count; ++i) {
    const Header& header = head.headers[i];
    if (header.id == HeaderId::content_length) continue;
    lines.push_back({.name = std::string(header.name.of(bytes)), .value = unfolded(header.value.of(bytes))});
  }
  return lines;
}

void check_forward(const Head& head, std::string_view bytes) {
  const ForwardText text{.body_bytes = 7};
  const std::string copy = written(forward_bytes(head, bytes, text),
                                   [&](parley::core::TextOut& out) { put_forward(out, head, bytes, text); });
  HeadParser parser;
  if (head.header_count == headers_limit) return;  // the copy may have one more
  CHECK(parser.parse(copy, {.head_bytes_max = ~std::uint32_t{0}}) == Progress::done);
  const Head& again = parser.head();
  CHECK(again.error == HeadError::none);
  CHECK(again.length == copy.size());
  CHECK(again.content_length == 7);
  CHECK(again.status == head.status);
  CHECK(again.method_name.of(copy) == head.method_name.of(bytes));
  CHECK(again.uri.of(copy) == head.uri.of(bytes));
  CHECK(lines_of(again, copy) == lines_of(head, bytes));
}

void check_edits(const Head& head, std::string_view bytes) {
  const HeaderEdit edits[] = {{HeaderEdit::Kind::prepend, {HeaderId::via, "SIP/2.0/TCP h"}},
                              {HeaderEdit::Kind::pop, {HeaderId::route}},
                              {HeaderEdit::Kind::replace, {HeaderId::max_forwards, "69"}},
                              {HeaderEdit::Kind::remove, {HeaderId::other, "", "X"}}};
  const ForwardText text{.stamp = {.received = "192.0.2.1", .rport = 5060}, .edits = edits};
  const std::string copy = written(forward_bytes(head, bytes, text),
                                   [&](parley::core::TextOut& out) { put_forward(out, head, bytes, text); });
  HeadParser parser;
  if (head.header_count + 3 >= static_cast<int>(headers_limit)) return;
  CHECK(parser.parse(copy, {.head_bytes_max = ~std::uint32_t{0}}) == Progress::done);
  CHECK(parser.head().error == HeadError::none);
  CHECK(parser.head().value(HeaderId::via, copy) == "SIP/2.0/TCP h");
  CHECK(parser.head().value(HeaderId::max_forwards, copy) == "69");
}

void check_response(const Head& head, std::string_view bytes) {
  const ResponseText text{.status = 400, .to_tag = "t", .copy_record_route = true, .stamp = {.rport = 9}};
  const std::string answer = written(response_bytes(head, bytes, text),
                                     [&](parley::core::TextOut& out) { put_response(out, head, bytes, text); });
  HeadParser parser;
  CHECK(parser.parse(answer, {.head_bytes_max = ~std::uint32_t{0}}) == Progress::done);
  CHECK(parser.head().error == HeadError::none);
  CHECK(parser.head().status == 400);
  CHECK(unfolded(head.value(HeaderId::call_id, bytes)) == parser.head().value(HeaderId::call_id, answer));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block({reinterpret_cast<const char*>(data), size});
  HeadParser parser;
  if (parser.parse(block.view(), {}) != Progress::done || parser.head().error != HeadError::none) return 0;
  const std::string_view bytes = block.view().substr(0, parser.head().length);
  check_forward(parser.head(), bytes);
  check_edits(parser.head(), bytes);
  if (parser.head().request()) check_response(parser.head(), bytes);
  return 0;
}

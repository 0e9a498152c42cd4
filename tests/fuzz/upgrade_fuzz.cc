// tests/fuzz/upgrade_fuzz.cc - heads of HTTP cut anywhere are the same heads; what is in them is what a plain look at
// their lines finds; a request we accept is one that our client's check of our answer accepts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/http_head.h"
#include "core/websocket_upgrade.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::core;
using Kind = HttpHeadReader::Kind;

void check_lines(const HttpHead& head, std::string_view bytes) {
  CHECK(head.length <= bytes.size());
  CHECK(head.length <= http_head_bytes_max);
  const std::string_view text = bytes.substr(0, head.length);
  CHECK(text.ends_with("\r\n\r\n"));
  CHECK(text.find("\r\n\r\n") == text.size() - 4);
  std::string_view rest = text.substr(text.find("\r\n") + 2);
  for (std::size_t i = 0; i < head.header_count; ++i) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    CHECK(colon != 0);
    CHECK(colon != std::string_view::npos);
    CHECK(head.headers[i].name.of(text) == line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    value = value.substr(0, value.find_last_not_of(" \t") + 1);
    CHECK(head.headers[i].value.of(text) == value);
    CHECK(head.find(line.substr(0, colon), text).count > 0);
  }
  CHECK(rest == "\r\n");
}

void check_upgrade(const Upgrade& upgrade) {
  std::string answer;
  write_upgrade(answer, upgrade);
  HttpHeadReader reader(Kind::answer);
  const HttpProgress progress = reader.read(answer);
  const UpgradeAsk ask{.host = upgrade.host, .subprotocol = "sip", .key = upgrade.key};
  CHECK(check_upgrade_answer(progress, reader.head(), answer, ask) == UpgradeFault::none);
}

void check(Kind kind, std::string_view bytes) {
  HttpHeadReader whole(kind);
  const HttpProgress progress = parley::tests::without_memory(bytes.size(), [&] { return whole.read(bytes); });
  HttpHeadReader slow(kind);
  HttpProgress each = HttpProgress::need_more;
  {
    parley::tests::GrowingBlock growing(bytes);
    const parley::tests::NoMemory measured(bytes.size());
    for (std::size_t size = 0; size <= bytes.size() && each == HttpProgress::need_more; ++size)
      each = slow.read(growing.first(size));
  }
  CHECK(each == progress);
  if (progress == HttpProgress::done) {
    check_lines(whole.head(), bytes);
    check_lines(slow.head(), bytes);
  }
  if (kind == Kind::request) {
    const Upgrade upgrade = judge_upgrade(progress, whole.head(), bytes, "sip");
    if (upgrade.fault == UpgradeFault::none) {
      check_upgrade(upgrade);
    } else {
      std::string refusal;
      write_refusal(refusal, upgrade.fault);
    }
  } else {
    const UpgradeAsk ask{.subprotocol = "sip", .key = "dGhlIHNhbXBsZSBub25jZQ=="};
    (void)check_upgrade_answer(progress, whole.head(), bytes, ask);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(Kind::request, bytes);
  check(Kind::answer, bytes);
  return 0;
}

// bench/sip_parse_bench.cc - what parsing a SIP request costs: an INVITE head of 600 bytes, the verdict over it, its
// parts.
#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "sip/address.h"
#include "sip/head.h"
#include "sip/uri.h"
#include "sip/verdict.h"
#include "sip/via.h"

namespace {

using namespace parley::sip;

const std::string invite =
    "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport\r\n"
    "Max-Forwards: 70\r\n"
    "Route: <sip:ss1.atlanta.example.com;lr>\r\n"
    "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
    "To: Bob <sip:bob@biloxi.example.com>\r\n"
    "Call-ID: 2xTb9vxSit55XU7p8@atlanta.example.com\r\n"
    "CSeq: 1 INVITE\r\n"
    "Contact: <sip:alice@client.atlanta.example.com;transport=tcp>;+g.oma.sip-im\r\n"
    "Accept-Contact: *;+g.oma.sip-im\r\n"
    "User-Agent: IM-client/OMA1.0 parley-load\r\n"
    "Supported: timer\r\n"
    "Session-Expires: 1800;refresher=uac\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 151\r\n\r\n";

void count_bytes(benchmark::State& state, std::string_view bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void BM_SipHead(benchmark::State& state) {
  HeadParser parser;
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.parse(invite, {}));
    benchmark::DoNotOptimize(parser.head().length);
  }
  count_bytes(state, invite);
}
BENCHMARK(BM_SipHead);

// Head and all that a transaction asks for.
void BM_SipHeadAndVerdict(benchmark::State& state) {
  HeadParser parser;
  Essentials essentials;
  for (auto _ : state) {
    parser.reset();
    if (parser.parse(invite, {}) != Progress::done) state.SkipWithError("bad head");
    const Verdict verdict = judge(parser.head(), invite, {.stream = true, .body_bytes = 0}, essentials);
    if (verdict.kind != Verdict::Kind::accept) state.SkipWithError("refused");
    benchmark::DoNotOptimize(essentials);
  }
  count_bytes(state, invite);
}
BENCHMARK(BM_SipHeadAndVerdict);

void BM_SipUri(benchmark::State& state) {
  const std::string_view text = "sip:alice@client.atlanta.example.com:5061;transport=tcp;lr";
  Uri uri;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_uri(text, uri));
    benchmark::DoNotOptimize(uri);
  }
}
BENCHMARK(BM_SipUri);

void BM_SipSameUri(benchmark::State& state) {
  Uri a;
  Uri b;
  if (!parse_uri("sip:alice@client.atlanta.example.com;transport=tcp;ob", a) ||
      !parse_uri("sip:alice@Client.atlanta.example.com;transport=TCP", b)) {
    state.SkipWithError("bad URI");
  }
  for (auto _ : state) benchmark::DoNotOptimize(same_uri(a, b));
}
BENCHMARK(BM_SipSameUri);

void BM_SipAorKey(benchmark::State& state) {
  Uri uri;
  if (!parse_uri("sip:alice@Atlanta.Example.com:5060;user=phone", uri)) state.SkipWithError("bad URI");
  std::array<char, 300> key{};
  for (auto _ : state) benchmark::DoNotOptimize(aor_key(uri, key.data(), key.size()));
}
BENCHMARK(BM_SipAorKey);

void BM_SipVia(benchmark::State& state) {
  const std::string_view value = "SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport";
  Via via;
  for (auto _ : state) {
    std::string_view rest = value;
    benchmark::DoNotOptimize(take_via(rest, via));
    benchmark::DoNotOptimize(via);
  }
}
BENCHMARK(BM_SipVia);

void BM_SipAddress(benchmark::State& state) {
  const std::string_view value = "\"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl";
  Address address;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_address(value, address));
    benchmark::DoNotOptimize(address);
  }
}
BENCHMARK(BM_SipAddress);

}  // namespace

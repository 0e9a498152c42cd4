// bench/parse_bench.cc - what parsing costs: a SEND head with and without known paths, the end-line, 64 KiB of body.
//
// memmem and memchr stand beside the body search for a ratio that does not depend on the machine's mood.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "core/digest_header.h"
#include "msrp/body_scan.h"
#include "msrp/head.h"
#include "msrp/uri.h"

namespace {

using namespace parley::msrp;

constexpr std::string_view tid = "a786hjs2";
constexpr std::size_t chunk_bytes = 64 * 1024;
const std::string end_line = "\r\n-------" + std::string(tid) + "$\r\n";

// 315 bytes: two relay hops' worth of To-Path, the usual headers.
const std::string head =
    "MSRP a786hjs2 SEND\r\n"
    "To-Path: msrp://relay.example.com:2855/f3c9d1a0b2e44c6f8a7b;tcp msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\n"
    "From-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n"
    "Message-ID: 87652491abcdef\r\n"
    "Byte-Range: 1-1024/1024\r\n"
    "Success-Report: no\r\n"
    "Failure-Report: yes\r\n"
    "Content-Type: text/plain\r\n\r\n";
const std::string frame = head + std::string(1024, 'x') + end_line;

// As a connection would remember them.
PathMemo memo_of(const std::string& bytes) {
  HeadParser parser;
  if (parser.parse(bytes, {}, nullptr) != Progress::done) return {};
  const Head& read = parser.head();
  return {.bytes = std::string_view(bytes).substr(read.to_path.offset, read.headers.offset - read.to_path.offset),
          .to_path_length = read.to_path.length,
          .from_path_length = read.from_path.length};
}

std::string letters() { return std::string(chunk_bytes, 'x') + end_line; }

// Lines of 60 letters.
std::string text() {
  std::string out;
  while (out.size() + 62 <= chunk_bytes) out += std::string(60, 'x') + "\r\n";
  return out + std::string(chunk_bytes - out.size(), 'x') + end_line;
}

// The worst a sender can do: a candidate every three bytes.
std::string candidates() {
  std::string out;
  while (out.size() + 3 <= chunk_bytes) out += "\r\n-";
  return out + end_line;
}

void count_bytes(benchmark::State& state, std::string_view bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void head_alone(benchmark::State& state, const PathMemo* memo) {
  HeadParser parser;
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.parse(head, {}, memo));
    benchmark::DoNotOptimize(parser.head().length);
  }
  count_bytes(state, head);
}

void BM_Head(benchmark::State& state) { head_alone(state, nullptr); }
BENCHMARK(BM_Head);

void BM_HeadWithMemo(benchmark::State& state) {
  const PathMemo memo = memo_of(head);
  head_alone(state, &memo);
}
BENCHMARK(BM_HeadWithMemo);

// A whole 1 KiB SEND: head, first URI of To-Path, body to its end-line.
void whole_send(benchmark::State& state, const PathMemo* memo) {
  HeadParser parser;
  BodyScan scan;
  for (auto _ : state) {
    parser.reset();
    if (parser.parse(frame, {}, memo) != Progress::done) state.SkipWithError("bad head");
    const Head& read = parser.head();
    benchmark::DoNotOptimize(split_path(read.to_path.of(frame)));
    scan.start(read.tid.of(frame));
    const BodyScan::Result result = scan.feed(std::string_view(frame).substr(read.length));
    if (!result.ended || result.body != 1024) state.SkipWithError("bad body");
  }
}

void BM_Send1KiB(benchmark::State& state) { whole_send(state, nullptr); }
BENCHMARK(BM_Send1KiB);

void BM_Send1KiBWithMemo(benchmark::State& state) {
  const PathMemo memo = memo_of(frame);
  whole_send(state, &memo);
}
BENCHMARK(BM_Send1KiBWithMemo);

void scan_body(benchmark::State& state, const std::string& body) {
  BodyScan scan;
  for (auto _ : state) {
    scan.start(tid);
    const BodyScan::Result result = scan.feed(body);
    if (!result.ended) state.SkipWithError("no end");
    benchmark::DoNotOptimize(result);
  }
  count_bytes(state, body);
}
void BM_Scan64KiBLetters(benchmark::State& state) { scan_body(state, letters()); }
void BM_Scan64KiBText(benchmark::State& state) { scan_body(state, text()); }
void BM_Scan64KiBCandidates(benchmark::State& state) { scan_body(state, candidates()); }
BENCHMARK(BM_Scan64KiBLetters);
BENCHMARK(BM_Scan64KiBText);
BENCHMARK(BM_Scan64KiBCandidates);

void memmem_body(benchmark::State& state, const std::string& body) {
  const std::string needle = "\r\n-------" + std::string(tid);
  for (auto _ : state) benchmark::DoNotOptimize(memmem(body.data(), body.size(), needle.data(), needle.size()));
  count_bytes(state, body);
}
void BM_Memmem64KiBLetters(benchmark::State& state) { memmem_body(state, letters()); }
void BM_Memmem64KiBText(benchmark::State& state) { memmem_body(state, text()); }
BENCHMARK(BM_Memmem64KiBLetters);
BENCHMARK(BM_Memmem64KiBText);

// From CR to CR until the end-line.
void memchr_body(benchmark::State& state, const std::string& body) {
  for (auto _ : state) {
    const char* const end = body.data() + body.size();
    const char* at = body.data();
    while ((at = static_cast<const char*>(std::memchr(at, '\r', static_cast<std::size_t>(end - at)))) != nullptr) {
      if (at[2] == '-') break;
      ++at;
    }
    benchmark::DoNotOptimize(at);
  }
  count_bytes(state, body);
}
void BM_Memchr64KiBLetters(benchmark::State& state) { memchr_body(state, letters()); }
void BM_Memchr64KiBText(benchmark::State& state) { memchr_body(state, text()); }
BENCHMARK(BM_Memchr64KiBLetters);
BENCHMARK(BM_Memchr64KiBText);

void BM_ScalarSearch64KiBText(benchmark::State& state) {
  const std::string body = text();
  for (auto _ : state) benchmark::DoNotOptimize(find_crlf_dash_scalar(body, 0));
}
void BM_Sse2Search64KiBText(benchmark::State& state) {
  const std::string body = text();
  for (auto _ : state) benchmark::DoNotOptimize(find_crlf_dash_sse2(body, 0));
}
BENCHMARK(BM_ScalarSearch64KiBText);
BENCHMARK(BM_Sse2Search64KiBText);

void BM_Uri(benchmark::State& state) {
  const std::string_view uri = "msrp://relay.example.com:2855/f3c9d1a0b2e44c6f8a7b;tcp";
  Uri out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_uri(uri, out));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(BM_Uri);

void BM_Authorization(benchmark::State& state) {
  const std::string_view value =
      "Digest username=\"alice\", realm=\"example.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", qop=auth, "
      "nc=00000001, "
      "cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\"";
  parley::core::Authorization out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parley::core::parse_authorization(value, out));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(BM_Authorization);

}  // namespace

// bench/digest_bench.cc - what an AUTH costs in hashes: response and rspauth per algorithm, randomness.
#include <benchmark/benchmark.h>

#include <array>

#include "core/digest.h"
#include "core/random.h"

namespace {

using namespace parley::core;

void response_and_rspauth(benchmark::State& state) {
  Digest digest;
  const auto algorithm = static_cast<DigestAlgorithm>(state.range(0));
  state.SetLabel(std::string(to_string(algorithm)));
  const HexDigest ha1 = digest.ha1(algorithm, "alice", "relay.example.org", "secret");
  const DigestFields fields{.ha1_hex = ha1.view(),
                            .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093dcd98b7102dd2f0e8b",
                            .nc = "00000001",
                            .cnonce = "0a4f113b0a4f113b",
                            .qop = "auth",
                            .method = "AUTH",
                            .uri = "msrps://relay.example.org:2855;tcp"};
  for (auto _ : state) {
    benchmark::DoNotOptimize(digest.response(algorithm, fields));
    benchmark::DoNotOptimize(digest.rspauth(algorithm, fields));
  }
}

void random_number(benchmark::State& state) {
  Random random(Seed{});
  for (auto _ : state) benchmark::DoNotOptimize(random.next());
}

BENCHMARK(response_and_rspauth)->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(random_number);

}  // namespace

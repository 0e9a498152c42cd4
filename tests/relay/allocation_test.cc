// tests/relay/allocation_test.cc - the message path in steady state takes no memory from the allocator.
//
// jemalloc counts what each thread allocates; the count may not move over 100,000 relayed messages, whole ones and ones
// that arrive in pieces.
#include <gtest/gtest.h>
#include <jemalloc/jemalloc.h>

#include "tests/relay/driver.h"

namespace parley::testing {
namespace {

std::uint64_t allocated_bytes() {
  std::uint64_t* counter = nullptr;
  std::size_t size = sizeof counter;
  EXPECT_EQ(mallctl("thread.allocatedp", &counter, &size, nullptr, 0), 0);
  return *counter;
}

void expect_no_allocation(std::size_t body_bytes, int batch, std::size_t read_bytes) {
  BurstDriver driver(body_bytes, batch);
  for (int i = 0; i < 50; ++i) driver.run(read_bytes);
  const std::uint64_t delivered = driver.delivered();
  const std::uint64_t before = allocated_bytes();
  while (driver.delivered() < delivered + 100'000) driver.run(read_bytes);
  EXPECT_EQ(allocated_bytes() - before, 0U) << body_bytes << " byte bodies, reads of " << read_bytes;
  EXPECT_EQ(driver.relay().pool.heap_bytes(), 0U);
}

TEST(Allocation, the_counter_sees_an_allocation) {
  const std::uint64_t before = allocated_bytes();
  std::string grown(10'000, 'x');
  EXPECT_NE(allocated_bytes() + grown.size(), before + grown.size());
}

TEST(Allocation, none_for_whole_small_messages) { expect_no_allocation(100, 16, core::Pool::large_bytes); }
TEST(Allocation, none_for_messages_cut_by_reads) { expect_no_allocation(1024, 16, 4096); }
TEST(Allocation, none_for_bodies_cut_through) { expect_no_allocation(10'000, 4, 4096); }
TEST(Allocation, none_for_heads_cut_by_reads) { expect_no_allocation(100, 16, 333); }

}  // namespace
}  // namespace parley::testing

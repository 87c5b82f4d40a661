// The two duty cycles allocate nothing: not for traffic, loss, rotation, handshakes or restarts of
// the other side.
//
// Every allocation of this program passes through here and is counted while the thread is inside a
// duty cycle.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "support/model_cluster.h"

namespace {

thread_local bool inside_cycle = false;
thread_local std::uint64_t counted = 0;

void count_allocation() noexcept {
  if (inside_cycle) ++counted;
}

}  // namespace

// operator new ends here as well. Sanitizers own these functions, so their builds
// watch operator new alone.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);

void* malloc(std::size_t size) noexcept {
  count_allocation();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  count_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  count_allocation();
  return __libc_realloc(memory, size);
}
}
#else
// Not inlined, or the compiler takes new with free for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  count_allocation();
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace binlane {
namespace {

using test::ClusterOptions;
using test::ModelCluster;

std::uint64_t allocations_of(const ClusterOptions& options) {
  ModelCluster cluster(options);
  cluster.around_turn = [](bool entering) { inside_cycle = entering; };
  counted = 0;
  cluster.run();
  return counted;
}

ClusterOptions busy(std::uint64_t seed) {
  ClusterOptions options;
  options.seed = seed;
  options.replicas = 3;
  options.quorum = 2;
  options.groups = 200;
  options.file_ends = 0.2;
  options.faults.loss = options.faults.duplicate = options.faults.reorder = 0.05;
  options.faults.no_tx_buffer = 0.01;
  return options;
}

TEST(NoAllocation, TheCounterCounts) {
  counted = 0;
  inside_cycle = true;
  auto number = std::make_unique<int>(1);
  void* const memory = std::malloc(10);
  inside_cycle = false;
  EXPECT_NE(*number, 0);
  EXPECT_NE(memory, nullptr);
  std::free(memory);
  EXPECT_GE(counted, 1U);
}

TEST(NoAllocation, TrafficLossAndRotation) {
  EXPECT_EQ(allocations_of(busy(1)), 0U);
}

TEST(NoAllocation, LargeGroupsThroughASmallRing) {
  ClusterOptions options = busy(2);
  options.groups = 10;
  options.largest_group = 300'000;
  options.journal_blocks = 32;
  EXPECT_EQ(allocations_of(options), 0U);
}

TEST(NoAllocation, RestartsAndCuts) {
  ClusterOptions options = busy(3);
  options.replica_crashes = 3;
  options.source_crashes = 3;
  EXPECT_EQ(allocations_of(options), 0U);
}

}  // namespace
}  // namespace binlane

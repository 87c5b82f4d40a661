#include "host_calls.h"

#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"

namespace binlane::sim {
namespace {

HostCalls* installed = nullptr;

}  // namespace

HostCalls::HostCalls(const test::VirtualClock& clock, Random entropy) noexcept
    : clock_(clock), entropy_(entropy) {
  BL_ASSERT(installed == nullptr);
  installed = this;
}

HostCalls::~HostCalls() {
  installed = nullptr;
}

}  // namespace binlane::sim

// The linker prefers these definitions to the C library's.
extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  using binlane::kNanosPerSecond;
  const binlane::sim::HostCalls* const calls = binlane::sim::installed;
  if (calls == nullptr) return static_cast<int>(::syscall(SYS_clock_gettime, id, time));
  const std::uint64_t now_ns = calls->clock().time_ns;
  time->tv_sec = static_cast<time_t>(now_ns / kNanosPerSecond);
  time->tv_nsec = static_cast<long>(now_ns % kNanosPerSecond);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) time->tv_sec += calls->wall_offset_s;
  return 0;
}

extern "C" ssize_t getrandom(void* buffer, size_t length, unsigned flags) {
  binlane::sim::HostCalls* const calls = binlane::sim::installed;
  if (calls == nullptr) return ::syscall(SYS_getrandom, buffer, length, flags);
  auto* bytes = static_cast<unsigned char*>(buffer);
  for (size_t at = 0; at < length;) {
    const std::uint64_t word = calls->draw();
    const size_t count = std::min(length - at, sizeof word);
    std::memcpy(bytes + at, &word, count);
    at += count;
  }
  return static_cast<ssize_t>(length);
}

// Disk: how the replica's duty cycle writes its journal. UringDisk in production, a model in the
// simulator.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace binlane {

// One durable write: when it completes with result == length, the bytes survive a power cut.
// `data`, `offset` and `length` are multiples of the journal's block size.
struct DiskWrite {
  std::uint32_t id = 0;
  std::uint32_t length = 0;
  std::uint64_t offset = 0;
  const std::byte* data = nullptr;
};

struct DiskCompletion {
  std::uint32_t id = 0;
  std::int32_t result = 0;  // bytes written, or -errno
};

// Writes that may be in flight at once. A device that flushes after every write reaches its full
// bandwidth with four (docs/PERFORMANCE.md).
inline constexpr std::size_t kMaxWritesInFlight = 4;

// data, offset and length of every write are multiples of this, whatever the device would accept.
inline constexpr std::size_t kSectorSize = 512;

template <class D>
concept Disk = requires(D disk, const DiskWrite& write, std::span<DiskCompletion> completions) {
  // Starts the write. The caller keeps at most kMaxWritesInFlight in flight, so there is always
  // room.
  {disk.submit(write)};
  // Fills in what has completed since the last call, without blocking; returns how many.
  { disk.reap(completions) } -> std::convertible_to<std::size_t>;
};

}  // namespace binlane

// BufferedDisk: the journal's disk for danger_buffered_journal: page cache and fdatasync, done at
// once in submit(). It stalls its lane and is as durable as the file system below it; for tests and
// for file systems without O_DIRECT.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "storage/journal/disk.h"

namespace binlane {

class BufferedDisk {
 public:
  explicit BufferedDisk(int descriptor) noexcept : descriptor_(descriptor) {}

  void submit(const DiskWrite& write) noexcept;
  std::size_t reap(std::span<DiskCompletion> completions) noexcept;

 private:
  int descriptor_;
  int error_ = 0;  // final
  std::array<DiskCompletion, kMaxWritesInFlight> done_{};
  std::size_t done_count_ = 0;
};
static_assert(Disk<BufferedDisk>);

}  // namespace binlane

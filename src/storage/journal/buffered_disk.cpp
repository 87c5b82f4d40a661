#include "storage/journal/buffered_disk.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "storage/file_util.h"

namespace binlane {

void BufferedDisk::submit(const DiskWrite& write) noexcept {
  BL_ASSERT(done_count_ < done_.size());
  if (error_ == 0) error_ = write_all(descriptor_, {write.data, write.length}, write.offset);
  if (error_ == 0 && ::fdatasync(descriptor_) != 0) error_ = errno;
  done_[done_count_++] = {write.id,
                          error_ == 0 ? static_cast<std::int32_t>(write.length) : -error_};
}

std::size_t BufferedDisk::reap(std::span<DiskCompletion> completions) noexcept {
  const std::size_t count = std::min(completions.size(), done_count_);
  std::copy_n(done_.begin(), count, completions.begin());
  std::move(done_.begin() + static_cast<std::ptrdiff_t>(count), done_.end(), done_.begin());
  done_count_ -= count;
  return count;
}

}  // namespace binlane

// JournalDisk: UringDisk or BufferedDisk, as the journal's file was opened, behind one type, so
// that the duty cycle is instantiated once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "base/sleep.h"
#include "storage/journal/buffered_disk.h"
#include "storage/journal/disk.h"
#include "storage/journal/journal_file.h"
#include "storage/journal/uring_disk.h"

namespace binlane {

class JournalDisk {
 public:
  explicit JournalDisk(JournalFile& file)
      : disk_(std::in_place_type<BufferedDisk>, file.descriptor()) {
    if (!file.is_buffered()) disk_.emplace<UringDisk>(file.descriptor(), file.image());
  }

  // On the lane's thread, once, before anything else. Throws StartupError.
  void attach() {
    if (auto* const uring = std::get_if<UringDisk>(&disk_)) uring->attach();
  }
  void submit(const DiskWrite& write) noexcept {
    std::visit([&](auto& disk) { disk.submit(write); }, disk_);
  }
  std::size_t reap(std::span<DiskCompletion> completions) noexcept {
    return std::visit([&](auto& disk) { return disk.reap(completions); }, disk_);
  }
  // Sleeps until a completion is there or the time is over.
  void wait(std::uint64_t timeout_ns) noexcept {
    if (auto* const uring = std::get_if<UringDisk>(&disk_)) return uring->wait(timeout_ns);
    sleep_for_ns(timeout_ns);
  }
  // For `status`.
  std::string describe() const {
    const auto* const uring = std::get_if<UringDisk>(&disk_);
    return uring != nullptr ? to_string(uring->setup()) : "buffered (danger_buffered_journal)";
  }

 private:
  std::variant<BufferedDisk, UringDisk> disk_;
};
static_assert(Disk<JournalDisk>);

}  // namespace binlane

// WriteTimer: how long the newest finished journal write waited for its submission, and how long
// the device took. A replica's ACKs carry both as durations, because two hosts' clocks have nothing
// in common. No I/O, no clock of its own; the replica's lane owns it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/assert.h"
#include "storage/journal/disk.h"

namespace binlane {

class WriteTimer {
 public:
  // Bytes have entered the journal. The oldest bytes of a write count.
  void on_arrival(std::uint64_t now_ns) noexcept {
    if (waiting_) return;
    waiting_ = true;
    arrived_ns_ = now_ns;
  }
  // All bytes so far were handed over, in `count` writes; the first is `first_id`.
  void on_submitted(std::uint32_t first_id, std::size_t count, std::uint64_t now_ns) noexcept {
    BL_ASSERT(count > 0 && count <= kMaxWritesInFlight);
    // A record is written although no bytes have arrived.
    const std::uint64_t waited_ns = waiting_ ? now_ns - std::min(arrived_ns_, now_ns) : 0;
    waiting_ = false;
    for (std::uint32_t i = 0; i < count; ++i)
      under_way_[(first_id + i) % kMaxWritesInFlight] = {now_ns, waited_ns};
  }
  void on_completed(std::uint32_t id, std::uint64_t now_ns) noexcept {
    const Write& write = under_way_[id % kMaxWritesInFlight];
    queue_ns_ = write.waited_ns;
    disk_ns_ = now_ns - std::min(write.submitted_ns, now_ns);
  }

  // Of the newest finished write, in the form that an ACK has fields for.
  std::uint32_t queue_ns() const noexcept { return clamped(queue_ns_); }
  std::uint32_t disk_ns() const noexcept { return clamped(disk_ns_); }

 private:
  struct Write {
    std::uint64_t submitted_ns = 0;
    std::uint64_t waited_ns = 0;
  };
  static std::uint32_t clamped(std::uint64_t ns) noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(ns, UINT32_MAX));
  }

  bool waiting_ = false;
  std::uint64_t arrived_ns_ = 0;
  std::array<Write, kMaxWritesInFlight> under_way_{};
  std::uint64_t queue_ns_ = 0;
  std::uint64_t disk_ns_ = 0;
};

}  // namespace binlane

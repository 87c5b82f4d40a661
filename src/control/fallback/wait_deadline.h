// WaitDeadline: since when a commit has been waiting for the quorum, and when that is too long.
//
// The server may be waiting for everything that its dump connection has sent, so each growth of
// that mark is a sample (time, mark); the oldest sample beyond the quorum is the oldest wait. It is
// too long if
//   * the wait is older than the timeout and the quorum has not moved for a timeout either, because
// a
//     huge transaction that makes progress does not degrade; or
//   * the wait is older than the hard limit (the server's own timeout less a second), whatever
//     moves. [S13]
// A turn that comes more than kPauseNs after the previous one means that this process was stopped,
// not that replicas were. Of the time in between at most a part of the timeout counts (never all of
// it, so one pause alone is no timeout; never nothing, so that turns which are always late still
// come to an end), and nothing expires within kGraceNs of it, so that waiting acknowledgements are
// read first.
//
// Samples closer together than kSamplesPerTimeout-th of the timeout are merged into the earlier
// one, so a deadline may come that much early and never late; the ring is therefore bounded. No
// clock, no I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/clock.h"

namespace binlane {

class WaitDeadline {
 public:
  static constexpr std::size_t kSamples = 256;
  static constexpr std::uint64_t kSamplesPerTimeout = 128;
  static_assert(kSamplesPerTimeout < kSamples, "a timeout's worth of samples must fit the ring");
  static constexpr std::uint64_t kPauseNs = kNanosPerSecond;
  static constexpr std::uint64_t kGraceNs = 200 * kNanosPerMilli;
  static constexpr std::uint64_t kPausePartOfTimeout = 4;  // a quarter

  WaitDeadline(std::uint64_t timeout_ns, std::uint64_t hard_limit_ns) noexcept;

  // Other limits from now on; present waits are measured by them.
  void set_limits(std::uint64_t timeout_ns, std::uint64_t hard_limit_ns) noexcept;

  // One turn. `waiting`: everything before it may be waited for; `covered`: a quorum has everything
  // before it. A `waiting` that goes back (a new dump connection repeats) changes nothing.
  void turn(std::uint64_t now_ns, std::uint64_t waiting, std::uint64_t covered) noexcept;

  // As of the last turn.
  bool anyone_waits() const noexcept { return count_ > 0; }
  bool expired() const noexcept;
  // How long the oldest wait has lasted, less pauses; 0 if no commit waits.
  std::uint64_t oldest_wait_ns() const noexcept;
  // How long the quorum has not moved while a commit waited, less pauses; 0 if no commit waits.
  std::uint64_t stalled_ns() const noexcept;

  // Forgets everything, because the server, or the coordinates of the marks, are new.
  void reset() noexcept;

  std::uint64_t pauses() const noexcept { return pauses_; }
  std::uint64_t merged() const noexcept { return merged_; }  // samples that found the ring full

 private:
  // Two times: `active` shortens pauses, `real` is the monotonic clock's.
  struct Sample {
    std::uint64_t active_ns;
    std::uint64_t real_ns;
    std::uint64_t mark;
  };
  const Sample& oldest() const noexcept {
    BL_ASSERT(count_ > 0);
    return samples_[first_];
  }
  Sample& newest() noexcept {
    BL_ASSERT(count_ > 0);
    return samples_[(first_ + count_ - 1) % kSamples];
  }
  void take_sample(std::uint64_t waiting) noexcept;

  std::uint64_t timeout_ns_;
  std::uint64_t hard_limit_ns_;
  std::uint64_t merge_ns_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t active_ns_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t covered_ = 0;
  std::uint64_t progress_active_ns_ = 0;  // when `covered` last grew
  std::uint64_t pause_end_ns_ = 0;
  std::uint64_t pauses_in_a_row_ = 0;
  bool started_ = false;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t pauses_ = 0;
  std::uint64_t merged_ = 0;
  std::array<Sample, kSamples> samples_{};
};

}  // namespace binlane

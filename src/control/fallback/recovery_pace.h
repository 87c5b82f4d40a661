// RecoveryPace: how long a quorum must be there, and how long it must keep up, before semi-sync is
// switched on again. Each time doubles while that does not last, up to a bound.
//
// No I/O, no clock. The source's control thread owns it.
#pragma once

#include <cstdint>
#include <optional>

namespace binlane {

class RecoveryPace {
 public:
  // The shortest and the longest time that a quorum must keep up.
  RecoveryPace(std::uint64_t after_ns, std::uint64_t most_ns) noexcept
      : after_ns_(after_ns), most_ns_(most_ns) {}
  void set_limits(std::uint64_t after_ns, std::uint64_t most_ns) noexcept {
    after_ns_ = after_ns;
    most_ns_ = most_ns;
  }

  // A quorum is connected, and nothing speaks against semi-sync. True once that has lasted.
  bool is_ready(std::uint64_t now_ns) noexcept;
  // It is not so. `lost`: it was so, and the quorum was catching up.
  void not_ready(bool lost) noexcept;
  // The quorum is near the end of the binlog. True once that has lasted.
  bool keeps_up(std::uint64_t now_ns) noexcept;
  void falls_behind() noexcept { keeping_up_since_ns_.reset(); }
  // The process stood still: nothing is known of the time between.
  void forget() noexcept {
    keeping_up_since_ns_.reset();
    ready_since_ns_.reset();
  }

  // Semi-sync was left again, or could not be switched on; `lasted`: it was on for long.
  void raise_back_off(bool lasted) noexcept;
  // How long the quorum must keep up before the next recovery.
  std::uint64_t hold_ns() const noexcept;
  // How long it must be connected before it counts as catching up.
  std::uint64_t connect_hold_ns() const noexcept;

 private:
  std::uint64_t after_ns_;
  std::uint64_t most_ns_;
  std::optional<std::uint64_t> keeping_up_since_ns_;
  std::uint32_t flaps_ = 0;
  std::optional<std::uint64_t> ready_since_ns_;
  std::uint32_t connect_flaps_ = 0;  // times a quorum was lost again while it caught up
};

}  // namespace binlane

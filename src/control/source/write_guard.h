// WriteGuard: when a source must keep its server from taking writes, although it is not fenced.
//
// There are two reasons, each with its own end:
//   * unrecorded: what the server releases without a quorum could not be recorded, because the
//     state or the ledger cannot be stored. This ends when they can be stored, or when a quorum
//     protects commits again. [S18]
//   * unanswered: this host was suspended for longer than a failover may take, and its commits did
//     not wait for a quorum. Another host may be the source by now, and only a replica's answer can
//     tell. This ends when one replica has begun a session in this source's term, or when an
//     operator says so. A source whose commits wait needs no guard, because its ACKs would be
//     refused. [S21]
//
// No clock, no I/O: the simulator runs it as control does. Source's control thread.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/mutant.h"
#include "control/fallback/wait_deadline.h"

namespace binlane {

// PauseDetector: how long this process did not run. Its caller does nothing that takes long, so a
// late turn means that the process was suspended.
class PauseDetector {
 public:
  static constexpr std::uint64_t kPauseNs = WaitDeadline::kPauseNs;

  // One turn. Returns the length of the pause before it in nanoseconds, 0 for none.
  std::uint64_t turn(std::uint64_t now_ns) noexcept {
    const std::uint64_t before_ns = last_ns_ == 0 ? now_ns : last_ns_;
    last_ns_ = now_ns;
    return now_ns - before_ns > kPauseNs ? now_ns - before_ns : 0;
  }

 private:
  std::uint64_t last_ns_ = 0;
};

class WriteGuard {
 public:
  // This host was suspended. `waits`: all that time the server had its commits wait for a quorum.
  // Returns true if writes have to be stopped and every replica has to be asked anew.
  bool woke_up(bool waits) noexcept {
    if (BL_MUTANT(woken_source_goes_on, true, waits)) return false;
    unanswered_ = true;
    return true;
  }
  // A replica has begun a session that was requested after the pause, or an operator says that this
  // host is still the source.
  void answered() noexcept { unanswered_ = false; }

  void set_unrecorded(bool unrecorded) noexcept { unrecorded_ = unrecorded; }

  bool unanswered() const noexcept { return unanswered_; }
  bool unrecorded() const noexcept { return unrecorded_; }
  bool closed() const noexcept { return unanswered_ || unrecorded_; }
  const char* reason() const noexcept {
    if (unanswered_)
      return "this host was suspended while its commits did not wait for a quorum. It takes no "
             "writes until a replica has answered that this host is still the source, or an "
             "operator says so (binlane degrade)";
    return unrecorded_ ? "what is released without a quorum cannot be recorded. This host takes no "
                         "writes until it can be, or until a quorum protects commits"
                       : "";
  }

 private:
  bool unanswered_ = false;
  bool unrecorded_ = false;
};

}  // namespace binlane

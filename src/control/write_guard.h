// WriteGuard: when a source must not let its server take writes, although nothing has fenced it.
//
// Two reasons, each with its own end:
//   * unrecorded: what the server lets go without a quorum could not be put on record, because the
//     state or the ledger cannot be stored. It ends when they can, or when a quorum protects
//     commits again (S18).
//   * unanswered: this host stood still for longer than a failover may take, and its commits did
//   not
//     wait for a quorum. Another host may be the source by now, and nothing but a replica's answer
//     tells. It ends when one replica has begun a session in this source's term, or when an
//     operator says so (S21). A source whose commits wait needs nothing: its ACKs would be refused.
//
// No clock, no I/O: the simulator runs it as control does. Control thread of the source.
#pragma once

#include <cstdint>

#include "base/canary.h"
#include "base/clock.h"
#include "control/wait_deadline.h"

namespace binlane {

// PauseDetector: how long nothing of this process ran. Whoever calls it does nothing that may take
// long by itself, so a turn that comes that late was not its own doing.
class PauseDetector {
 public:
  static constexpr std::uint64_t kPauseNs = WaitDeadline::kPauseNs;

  // One turn: the length of the pause before it, 0 for none.
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
  // This host stood still. `waits`: the server had its commits wait for a quorum all the while.
  // True: writes are to be stopped, and every replica to be asked anew.
  bool woke_up(bool waits) noexcept {
    if (waits || canary(Canary::woken_source_goes_on)) return false;
    unanswered_ = true;
    return true;
  }
  // A replica has begun a session that was asked for after that; or an operator takes it on
  // himself.
  void answered() noexcept { unanswered_ = false; }

  void set_unrecorded(bool unrecorded) noexcept { unrecorded_ = unrecorded; }

  bool unanswered() const noexcept { return unanswered_; }
  bool unrecorded() const noexcept { return unrecorded_; }
  bool closed() const noexcept { return unanswered_ || unrecorded_; }
  const char* reason() const noexcept {
    if (unanswered_)
      return "this host stood still while its commits did not wait for a quorum: no writes until a "
             "replica has answered that it is the source still, or an operator says so (binlane "
             "degrade)";
    return unrecorded_
               ? "what is released without a quorum cannot be put on record: no writes until "
                 "it can, or a quorum is there"
               : "";
  }

 private:
  bool unanswered_ = false;
  bool unrecorded_ = false;
};

}  // namespace binlane

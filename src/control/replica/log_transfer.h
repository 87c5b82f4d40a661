// TransferRequest, TransferProgress: how a candidate that holds less than another host fetches the
// rest. [S1] The other host (the donor) has promised itself to the candidate (the joiner), and
// serves its log to it, in the candidate's own term, until the joiner has everything (LogDonor).
// Pure; shared by the daemon and the simulator.
#pragma once

#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "base/mutant.h"
#include "base/position.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

// After this time without a request the joiner has what it wants, or is gone.
inline constexpr std::uint64_t kTransferSilenceNs = 2 * kNanosPerSecond;
// No progress for this long means that the donor is gone or cannot serve.
inline constexpr std::uint64_t kTransferStallNs = 5 * kNanosPerSecond;

// The last request that a donor got.
struct TransferRequest {
  std::string joiner;  // the candidate's name
  Promise promise;     // the donor's promise to the candidate
  std::uint64_t asked_ns = 0;

  bool wanted(std::uint64_t now_ns) const noexcept {
    return asked_ns != 0 && now_ns < asked_ns + kTransferSilenceNs;
  }
};

// The joiner's side: watches its own log grow.
class TransferProgress {
 public:
  enum class State : std::uint8_t { waiting, done, stalled };

  // `term` is the candidate's; `end` is the end of the donor's log.
  TransferProgress(std::uint32_t term, const Position& end, std::uint64_t now_ns) noexcept
      : epoch_{term, 0}, end_(end), moved_ns_(now_ns) {
    BL_ASSERT(term > 0 && !end.is_null());
  }

  // `epoch` and `durable` are those of our own journal. Its length proves nothing until a session
  // of this term has truncated it, because until then the log may differ from the donor's.
  State look(const Epoch& epoch, const Position& durable, std::uint64_t now_ns) noexcept {
    BL_ASSERT(now_ns >= moved_ns_);
    const bool cut = BL_MUTANT(fetch_by_length, true, epoch == epoch_);
    if (cut && durable >= end_) return State::done;
    if (durable != seen_) moved_ns_ = now_ns;
    seen_ = durable;
    return now_ns - moved_ns_ > kTransferStallNs ? State::stalled : State::waiting;
  }
  const Position& end() const noexcept { return end_; }

 private:
  Epoch epoch_;
  Position end_;
  Position seen_;
  std::uint64_t moved_ns_;
};

}  // namespace binlane

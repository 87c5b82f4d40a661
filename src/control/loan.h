// Loan: how a candidate with the lesser log gets what another one holds (safety rule S1). The other
// host, which has promised itself to the candidate, becomes its source for as long as that takes,
// in the candidate's own term (Lender). Pure; shared by the daemon and the simulator.
#pragma once

#include <cstdint>
#include <string>

#include "base/canary.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "base/position.h"
#include "storage/journal_meta.h"

namespace binlane {

// A candidate that asks falls silent when it has what it wants, or is gone.
inline constexpr std::uint64_t kLoanSilenceNs = 2 * kNanosPerSecond;
// Nothing came for so long: the lender is gone, or cannot.
inline constexpr std::uint64_t kFetchStallNs = 5 * kNanosPerSecond;

// What was asked of the host that lends.
struct Loan {
  std::string borrower;  // its name
  Promise promise;       // to it
  std::uint64_t asked_ns = 0;

  bool wanted(std::uint64_t now_ns) const noexcept {
    return asked_ns != 0 && now_ns < asked_ns + kLoanSilenceNs;
  }
};

// Watches the borrower's own log grow.
class Fetch {
 public:
  enum class State : std::uint8_t { waiting, done, stalled };

  // `term`: of the candidate; `end`: of the lender's log.
  Fetch(std::uint32_t term, const Position& end, std::uint64_t now_ns) noexcept
      : epoch_{term, 0}, end_(end), moved_ns_(now_ns) {}

  // By what the own journal has made durable, and in whose epoch. Before a session of this term has
  // cut it, the length says nothing: the log may part from the lender's.
  State look(const Epoch& epoch, const Position& durable, std::uint64_t now_ns) noexcept {
    const bool cut = epoch == epoch_ || canary(Canary::fetch_by_length);
    if (cut && durable >= end_) return State::done;
    if (durable != seen_) moved_ns_ = now_ns;
    seen_ = durable;
    return now_ns - moved_ns_ > kFetchStallNs ? State::stalled : State::waiting;
  }
  const Position& end() const noexcept { return end_; }

 private:
  Epoch epoch_;
  Position end_;
  Position seen_;
  std::uint64_t moved_ns_;
};

}  // namespace binlane

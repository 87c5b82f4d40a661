// The part of the fallback state machine that keeps a server from being called SEMISYNC which says
// ON and releases commits all the same: another client acknowledges them (S23), or the server
// compares the names of its binlogs wrongly (S17).
#include "base/canary.h"
#include "control/fallback.h"

namespace binlane {

void Fallback::check_guards(const FallbackInputs& in) {
  if (in.numbering_over && !canary(Canary::numbering_ignored))
    raise(FallbackEvent::numbering_over, in);
  if (canary(Canary::other_acker_ignored)) return;
  if (others_ == OtherAckers::none) {
    check_other_gone(in);
  } else if (others_ == OtherAckers::present && phase_ != FallbackPhase::blocked) {
    // OFF needs a record; without one the server goes on waiting for whoever acknowledges.
    const bool refuse = options_.other_ackers == OtherAckersRule::refuse && !ledger_failed_;
    raise(refuse ? FallbackEvent::other_refused : FallbackEvent::other_acker, in);
  }
}

// The server keeps the furthest position that anybody has acknowledged, and waits for nobody below
// it. A session that waits in it proves that none lies ahead; otherwise it is made to forget, which
// needs the record that is open since that client came.
void Fallback::check_other_gone(const FallbackInputs& in) {
  if (phase_ != FallbackPhase::shared || asked_off_) return;
  const bool clean = somebody_waits_ || ledger_failed_ || canary(Canary::other_acks_kept);
  if (!clean && (!interval_open_ || !in.server_reachable)) return;
  raise(clean ? FallbackEvent::other_gone : FallbackEvent::other_unproven, in);
}

// Why semi-sync may not be switched on now; quorum_lost unless there is more to say.
FallbackReason Fallback::why_not_ready(const FallbackInputs& in) const noexcept {
  if (in.numbering_over && !canary(Canary::numbering_ignored))
    return FallbackReason::numbering_over;
  const bool refused = options_.other_ackers == OtherAckersRule::refuse &&
                       others_ != OtherAckers::none && !canary(Canary::other_acker_ignored);
  if (refused) return FallbackReason::other_acker;
  return held_ ? FallbackReason::operator_off : FallbackReason::quorum_lost;
}

}  // namespace binlane

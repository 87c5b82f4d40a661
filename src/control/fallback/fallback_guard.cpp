// The part of the fallback state machine that prevents a server from being called SEMISYNC which
// says ON and releases commits all the same: another client acknowledges them [S23], or the server
// compares the names of its binlogs wrongly [S17].
#include "base/mutant.h"
#include "control/fallback/fallback.h"

namespace binlane {

void Fallback::check_guards(const FallbackInputs& in) {
  if (BL_MUTANT(numbering_ignored, false, in.numbering_over))
    raise(FallbackEvent::numbering_over, in);
  const OtherAckers others = BL_MUTANT(other_acker_ignored, OtherAckers::unclear, others_);
  if (others == OtherAckers::none) {
    check_other_gone(in);
  } else if (others == OtherAckers::present && phase_ != FallbackPhase::blocked) {
    // OFF needs a record. Without one the server keeps waiting for any client that acknowledges.
    const bool refuse =
        options_.other_ackers == OtherAckersRule::refuse && !interval_.ledger_failed();
    raise(refuse ? FallbackEvent::other_refused : FallbackEvent::other_acker, in);
  }
}

// The server keeps the furthest position that any client has acknowledged, and does not wait below
// it. A session that waits proves that no such position lies ahead. Otherwise the server is made to
// forget, which needs the record that is open since that client connected.
void Fallback::check_other_gone(const FallbackInputs& in) {
  if (phase_ != FallbackPhase::shared || asked_off_) return;
  const bool clean = BL_MUTANT(other_acks_kept, true, somebody_waits_ || interval_.ledger_failed());
  if (!clean && (!interval_.is_open() || !in.server_reachable)) return;
  raise(clean ? FallbackEvent::other_gone : FallbackEvent::other_unproven, in);
}

// Why semi-sync may not be switched on now; quorum_lost if there is no better reason.
FallbackReason Fallback::why_not_ready(const FallbackInputs& in) const noexcept {
  if (BL_MUTANT(numbering_ignored, false, in.numbering_over)) return FallbackReason::numbering_over;
  const bool refused =
      BL_MUTANT(other_acker_ignored, false,
                options_.other_ackers == OtherAckersRule::refuse && others_ != OtherAckers::none);
  if (refused) return FallbackReason::other_acker;
  return held_ ? FallbackReason::operator_off : FallbackReason::quorum_lost;
}

}  // namespace binlane

#include "control/source/guarded_writes.h"

#include "base/assert.h"
#include "base/log.h"
#include "control/source/source_pace.h"

namespace binlane {

bool GuardedWrites::suspended(std::uint64_t pause_ns, const SourceIncarnation* running,
                              bool found_read_only) {
  BL_ASSERT(running == nullptr || !running->ended());
  const bool waits = running != nullptr && !running->fallback().degraded();
  if (pause_ns == 0 || parts_.records.state().origin.is_null() || !guard_.woke_up(waits))
    return false;
  // A server that somebody else made read-only remains so after a replica has answered.
  if (!parts_.read_only.made() && !found_read_only) parts_.read_only.lift_on_answer(true);
  parts_.read_only.ask();
  log::error("paused", "this host was suspended for {} ms: {}", pause_ns / kNanosPerMilli,
             guard_.reason());
  next_ns_ = 0;
  return running != nullptr;
}

void GuardedWrites::turn(std::uint64_t now_ns, const SourceIncarnation* running) {
  if (guard_.unanswered() && running != nullptr) {
    const SessionManager& sessions = running->sessions();
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if (sessions.session_of(i) != 0) guard_.answered();
    }
  }
  if (running != nullptr) {
    const Fallback& fallback = running->fallback();
    guard_.set_unrecorded(
        parts_.records.ledger().failed() &&
        (fallback.blocked() || !fallback.accounts() || fallback.phase() == FallbackPhase::refused));
  }
  if (!guard_.closed()) {
    problem_.clear();
    return;
  }
  BL_ASSERT(*guard_.reason() != 0);
  if (now_ns < next_ns_) return;
  next_ns_ = now_ns + kServerRetryNs;
  if (problem_.empty()) log::error("read_only", "{}", guard_.reason());
  if (guard_.unrecorded()) parts_.read_only.lift_on_answer(false);
  parts_.read_only.leave_mark();
  const Status kept = parts_.read_only.keep();
  problem_ = guard_.reason() + (kept.is_ok() ? std::string() : "; " + kept.text());
}

}  // namespace binlane

// SourceHost, the part that is about which host is the source: fencing and read_only. As
// SourceControl's source_role.cpp and source_settings.cpp.

#include <fmt/format.h>

#include "source_host.h"

namespace binlane::sim {

void SourceHost::watch_terms() {
  if (fenced_by_ != 0 || state_.origin.is_null()) return;
  const std::uint32_t term = desk_ ? desk_->deposed_by() : 0;
  if (term > state_.epoch.term) fence(term);
}

// On record, like the state: not after a restart either does this host bid again by itself.
void SourceHost::fence(std::uint32_t term) {
  const SourceMarks marks = queues_->marks.load();
  const Position shown = marks.epoch == state_.epoch ? marks.quorum_group_at : Position{};
  const Position quorum =
      std::max({state_.quorum, shown, Position{state_.stream_start.file, kBinlogMagicSize}});
  end_incarnation(fmt::format("a replica was promoted in term {}", term), NextStream::same);
  fenced_by_ = term;
  if (!ledger_->expose(quorum, state_.epoch, ExposureKind::server_side, "fenced"))
    trace_.line(ledger_->failure());
  trace_.note("fenced", term);
  phase_ = Phase::fenced;
}

void SourceHost::work_as_fenced() {
  if (server_.up()) server_.begin_read_only();
}

// Only when a quorum protects what is written from then on (S12).
void SourceHost::lift_read_only() {
  const bool ours = (read_only_ && options_.standby_beside) || made_read_only_;
  if (!ours || phase_ != Phase::running || !server_.up() || server_.run() != run_) return;
  if (server_.read_only_pending()) return;
  if (fallback_->phase() != FallbackPhase::semisync) return;
  server_.lift_read_only();
  trace_.note("read_only lifted");
  read_only_ = made_read_only_ = false;
}

// Mode `fail`: done once new commits are stopped; those that wait still wait (S15).
bool SourceHost::make_read_only() {
  if (!server_.up() || server_.run() != run_) return false;
  made_read_only_ = true;
  server_.begin_read_only();
  return server_.read_only_pending() || server_.read_only();
}

}  // namespace binlane::sim

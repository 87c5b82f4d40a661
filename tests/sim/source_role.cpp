// SourceHost, the part that is about which host is the source: fencing and read_only. As
// SourceControl's source_role.cpp and source_settings.cpp.

#include <fmt/format.h>

#include "source_host.h"

namespace binlane::sim {
namespace {

// As in SourceControl.
constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;

}  // namespace

void SourceHost::watch_terms() {
  if (fenced_by_ != 0 || state_.origin.is_null()) return;
  const std::uint32_t term = desk_ ? desk_->deposed_by() : 0;
  if (term > state_.epoch.term) fence(term);
}

// On record, like the state: not after a restart either does this host bid again by itself.
void SourceHost::fence(std::uint32_t term) {
  const SourceMarks marks = queues_->marks.load();
  const Position shown = marks.epoch == state_.epoch ? marks.quorum_group_at : Position{};
  const Position quorum = std::max({state_.quorum, shown, beginning_of(state_)});
  end_incarnation({fmt::format("a replica was promoted in term {}", term), {}});
  fenced_by_ = term;
  record_fencing(quorum);
  trace_.note("fenced", term);
  phase_ = Phase::fenced;
  next_poll_ns_ = 0;
  fenced_looked_ = false;
  const bool seen = fallback_ && fallback_->server_counters();
  fenced_counters_ = seen ? *fallback_->server_counters() : state_.counters;
}

void SourceHost::record_fencing(const Position& quorum) {
  if (!ledger_->expose_fencing(quorum, state_.epoch, "a replica was promoted"))
    trace_.line(ledger_->failure());
}

void SourceHost::work_as_fenced() {
  watch_fenced_server(clock_.time_ns);
  if (server_.up()) server_.begin_read_only();
}

// Commits that waited when the term ended are let go by the server's own timeout.
void SourceHost::watch_fenced_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  if (!server_.up()) {
    next_poll_ns_ = now_ns + kLookNs;
    return;
  }
  if (server_.run() != run_) begin_watching();
  const ServerCounters now = server_.counters();
  const ServerCounters before = fenced_counters_.value_or(now);
  const bool let_go = now.no_tx > before.no_tx || now.no_times > before.no_times ||
                      (fenced_looked_ && now.yes_tx > before.yes_tx) ||
                      (fenced_status_on_ && !server_.status_on());
  if (let_go && !expose_fenced()) return;
  fenced_counters_ = now;
  fenced_looked_ = true;
  fenced_status_on_ = server_.status_on();
}

void SourceHost::begin_watching() {
  run_ = server_.run();
  fenced_counters_.reset();
  if (state_.server_run == fmt::format("run {}", run_)) fenced_counters_ = state_.counters;
  fenced_looked_ = false;
}

bool SourceHost::expose_fenced() {
  const auto& open = ledger_->open_intervals();
  const Position from = open.empty() ? state_.quorum : open.back().from;
  if (ledger_->expose(from, state_.epoch, ExposureKind::server_side, "let go while FENCED"))
    return true;
  trace_.line(ledger_->failure());
  return false;
}

// Only when a quorum protects what is written from then on (S12).
void SourceHost::lift_read_only() {
  const bool ours = (read_only_ && options_.standby_beside) || made_read_only_;
  if (!ours || phase_ != Phase::running || !server_.up() || server_.run() != run_) return;
  if (server_.read_only_pending()) return;
  if (!fallback_->may_take_writes()) return;
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

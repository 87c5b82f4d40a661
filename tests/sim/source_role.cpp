// SourceHost, the part that is about which host is the source: fencing and read_only. As
// SourceControl's source_role.cpp and source_settings.cpp.

#include <fmt/format.h>

#include <cerrno>

#include "source_host.h"

namespace binlane::sim {
namespace {

// As in SourceControl.
constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kRecordAgainNs = 1 * kNanosPerSecond;

}  // namespace

void SourceHost::open_role() {
  role_failed_ = 0;
  role_.emplace(RoleMedium{"role.state", [this] { return role_bytes_; },
                           [this](ConstBytes bytes) {
                             if (role_failing) ++role_failed_;
                             if (role_failing) return EIO;
                             role_bytes_.emplace(bytes.begin(), bytes.end());
                             return 0;
                           }},
                HostRole::source);
}

void SourceHost::watch_terms() {
  if (role_->state().role == HostRole::fenced || state_.origin.is_null()) return;
  const std::uint32_t term = desk_ ? desk_->deposed_by() : 0;
  if (term > state_.epoch.term) fence({term, fmt::format("term {} has begun elsewhere", term)});
}

// By a later term, or by an operator.
void SourceHost::fence(const FenceCause& cause) {
  const SourceMarks marks = queues_->marks.load();
  const Position shown = marks.epoch == state_.epoch ? marks.quorum_group_at : Position{};
  fenced_from_ = std::max({state_.quorum, shown, beginning_of(state_)});
  struct {
    SourceHost& host;
    void ask_read_only() { host.ask_read_only(); }
    void end_incarnation(const std::string& reason) { host.end_incarnation({reason, {}}); }
    void record_fencing() { host.record_fencing(); }
  } host{*this};
  if (!fence_source(*role_, cause, host)) trace_.note("fenced, not on record", cause.term);
  trace_.note("fenced", cause.term);
  read_only_marked_ = read_only_marked_ || !role_failing;
  phase_ = role_->state().role == HostRole::fenced ? Phase::fenced : phase_;
  next_poll_ns_ = 0;
  next_record_ns_ = clock_.time_ns + kRecordAgainNs;
  const bool seen = fallback_ && fallback_->server_counters();
  fenced_watch_.begin(seen ? *fallback_->server_counters() : state_.counters, fenced_status_on_);
}

void SourceHost::ask_read_only() {
  made_read_only_ = true;
  if (server_.up()) server_.begin_read_only();
}

void SourceHost::record_fencing() {
  fencing_recorded_ =
      state_.origin.is_null() ||
      ledger_->expose_fencing(fenced_from_, state_.epoch, role_->state().fence_reason);
  if (!fencing_recorded_) trace_.line(ledger_->failure());
}

void SourceHost::record_fence_again(std::uint64_t now_ns) {
  if ((role_->on_record() && fencing_recorded_) || now_ns < next_record_ns_) return;
  next_record_ns_ = now_ns + kRecordAgainNs;
  if (!role_->on_record() && role_->put_on_record() == 0) trace_.note("the fence is on record");
  if (!fencing_recorded_ && !ledger_->failed()) record_fencing();
}

void SourceHost::work_as_fenced() {
  record_fence_again(clock_.time_ns);
  watch_fenced_server(clock_.time_ns);
  if (!role_failing) read_only_marked_ = true;
  ask_read_only();
}

// S21, S18.
void SourceHost::guard_writes(std::uint64_t pause_ns) {
  const bool waits = running() && fallback_ && !fallback_->degraded();
  if (pause_ns > 0 && !state_.origin.is_null() && guard_.woke_up(waits)) {
    trace_.note("woke up, degraded", pause_ns / kNanosPerMilli);
    read_only_until_answer_ |= !made_read_only_ && !read_only_;
    ask_read_only();
    if (running()) end_incarnation({guard_.reason(), {}});
  }
  if (guard_.unanswered() && running() && desk_) {
    for (std::size_t i = 0; i < desk_->size(); ++i) {
      if (desk_->session_of(i) != 0) guard_.answered();
    }
  }
  if (running() && fallback_)
    guard_.set_unrecorded(ledger_->failed() && (fallback_->blocked() || !fallback_->accounts() ||
                                                fallback_->phase() == FallbackPhase::refused));
  if (guard_.unrecorded()) read_only_until_answer_ = false;
  if (!guard_.closed()) return;
  ask_read_only();
  if (!role_failing) read_only_marked_ = true;
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
  if (fenced_watch_.let_go(now, server_.status_on()) && !expose_fenced()) return;
  fenced_watch_.taken(now, server_.status_on());
}

void SourceHost::begin_watching() {
  run_ = server_.run();
  const bool same = state_.server_run == fmt::format("run {}", run_);
  fenced_watch_.begin_run(same ? std::optional(state_.counters) : std::nullopt);
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
  if (server_.read_only_pending() || guard_.closed()) return;
  if (!fallback_->may_take_writes() && !read_only_until_answer_) return;
  server_.lift_read_only();
  trace_.note("read_only lifted");
  read_only_ = made_read_only_ = read_only_marked_ = read_only_until_answer_ = false;
}

// Mode `fail`: done once new commits are stopped; those that wait still wait (S15).
bool SourceHost::make_read_only() {
  if (!server_.up() || server_.run() != run_) return false;
  ask_read_only();
  read_only_marked_ = true;
  read_only_until_answer_ = false;
  return server_.read_only_pending() || server_.read_only();
}

}  // namespace binlane::sim

// SourceControl, the part that is about which host is the source: standby, fencing, read_only.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "control/following.h"
#include "control/replica_side.h"
#include "control/source_control.h"
#include "control/source_settings.h"
#include "shim/binlog_index.h"
#include "shim/stream_scan.h"

namespace binlane {
namespace {

constexpr std::uint64_t kLookNs = 500 * kNanosPerMilli;
constexpr std::uint64_t kPollNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kReplicationLookNs = 2 * kNanosPerSecond;
// How long a rejoin waits for the new source to speak to this host.
constexpr std::uint64_t kSuccessorWaitNs = 5 * kNanosPerSecond;
static_assert(kSuccessorWaitNs > 3 * kRefusedRepeatNs);
// The largest that a server takes: 49 days.
constexpr std::uint64_t kLongestTimeoutMs = UINT32_MAX;
}  // namespace

// A later term shows in what a replica has promised, or in that another host wants to be our
// source.
void SourceControl::watch_terms() {
  if (role_.state().role != HostRole::source) return;
  {
    // Asked for in the moment in which this host became the source by an earlier request.
    const std::lock_guard lock(mutex_);
    promotion_asked_ = plan_asked_ = false;
  }
  if (state_.origin.is_null()) return;
  std::uint32_t term = desk_ ? desk_->deposed_by() : 0;
  if (replica_ != nullptr) term = std::max(term, replica_->control().deposed_by());
  if (term > state_.epoch.term) fence({term, fmt::format("term {} has begun elsewhere", term)});
}

// Only a standby holds another source's stream.
void SourceControl::tell_replica_side() {
  if (replica_ == nullptr) return;
  const bool is_source = role_.state().role == HostRole::source;
  replica_->control().tell_source_alive(is_source ? config_.name : std::string());
  switch (role_.state().role) {
    case HostRole::standby:
      replica_->control().refuse_all({});
      break;
    case HostRole::source:
      replica_->control().refuse_all("this host is a source itself");
      break;
    case HostRole::fenced:
      replica_->control().refuse_all(
          "this host was the source before, and has not rejoined (binlane rejoin)");
      break;
  }
}

// Empty, or why not.
std::string SourceControl::connect_commands() {
  if (command_connection_.is_connected()) return {};
  const SqlError error = command_connection_.connect();
  return error.ok() ? std::string()
                    : fmt::format("cannot connect to the server at {}: {}", source_.server_socket,
                                  to_string(error));
}

std::string SourceControl::ask_promotion(bool dry_run, bool from_live_source) {
  const std::lock_guard lock(mutex_);
  if (!promoter_) return "this host has no [replica] section: it holds nothing to go on with";
  if (view_.phase == Phase::fenced)
    return "this host is FENCED: it was the source before, and has to rejoin first";
  if (view_.phase == Phase::promoting || view_.promotion.running || promotion_asked_ || plan_asked_)
    return "its promotion is going on";
  if (view_.phase != Phase::standby) return "this host is the source";
  (dry_run ? plan_asked_ : promotion_asked_) = true;
  from_live_source_asked_ = from_live_source;
  view_.promotion = {};
  view_.promotion.running = true;
  wake_.notify_all();
  return {};
}

void SourceControl::promote(std::uint64_t now_ns) {
  bool asked = false;
  bool plan = false;
  bool from_live_source = false;
  {
    const std::lock_guard lock(mutex_);
    from_live_source = from_live_source_asked_;
    asked = std::exchange(promotion_asked_, false);
    plan = std::exchange(plan_asked_, false);
  }
  if ((plan || asked) && !promoter_->running()) {
    if (lender_->lending())
      promoter_->refuse("another host's promotion is going on, to which this host lends its log");
    else if (plan)
      promoter_->plan(from_live_source);
    else
      promoter_->begin(from_live_source);
    promotion_audited_ = false;
  }
  if (!promoter_->running()) {
    // Its end shows here when it was refused.
    if (!std::exchange(promotion_audited_, true) && ended_)
      ended_("promote", promoter_->view().refusal);
    return lender_->work(now_ns);
  }
  if (!promoter_->only_looking()) phase_ = Phase::promoting;
  promoter_->work(now_ns);
  if (!promoter_->succeeded()) return;
  if (!std::exchange(promotion_audited_, true) && ended_) ended_("promote", {});
  state_ = *state_file_.state();
  directory_.clear();  // the lane is bound to the sealed files, not to the server's
  phase_ = Phase::looking;
  problem_.clear();
  next_look_ns_ = 0;
  tell_replica_side();
}

std::string SourceControl::ask_rejoin(const RejoinOptions& options) {
  const std::lock_guard lock(mutex_);
  if (!rejoiner_) return "this host has no [replica] section: it cannot be a replica";
  if (rejoin_asked_) return "it is rejoining already";
  if (view_.phase == Phase::promoting) return "its promotion is going on";
  const bool was_source = view_.phase == Phase::fenced;
  if (!was_source && !(options.rebuilt && view_.phase == Phase::standby))
    return view_.phase == Phase::standby
               ? "this host is a standby: there is nothing to rejoin (a standby that was rebuilt "
                 "from a copy is told so with --rebuilt)"
               : "this host is not FENCED: it has not learned of another source";
  rejoin_asked_ = options;
  rejoin_asked_ns_ = monotonic_ns();
  view_.rejoin = {};
  view_.rejoin.running = true;
  wake_.notify_all();
  return {};
}

void SourceControl::rejoin(std::uint64_t now_ns) {
  std::optional<RejoinOptions> asked;
  std::uint64_t asked_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    asked = rejoin_asked_;
    asked_ns = rejoin_asked_ns_;
  }
  if (!asked || (promoter_ && promoter_->running())) return;
  // A daemon that was just started has not been spoken to yet; the new source asks once a second.
  const bool heard = asked->rebuilt || replica_->control().successor().has_value();
  if (!heard && now_ns < asked_ns + kSuccessorWaitNs) return;
  const bool standby = rejoiner_->run(*asked);
  if (standby) {
    close_ledger_of_old_stream(asked->rebuilt);
    rejoining_for_ = "the server's IO thread to connect to this host's feed";
    remove_read_only_mark();  // a standby is read-only as every replica is
    phase_ = Phase::standby;
    next_look_ns_ = 0;
    problem_.clear();
    poll_problem_.clear();  // the server answers, and a standby's is not polled
    tell_replica_side();
  }
  // One that was not refused ends when the server is seen to follow.
  if (!standby && ended_) ended_("rejoin", rejoiner_->view().refusal);
  const std::lock_guard lock(mutex_);
  rejoin_asked_.reset();
}

// Positions of the stream that is over mean nothing in a later one. Without a rebuild the server's
// binlogs end where the stream was sealed, and what an interval holds can be counted up to there.
void SourceControl::close_ledger_of_old_stream(bool rebuilt) {
  const std::vector<LedgerInterval> open = ledger_.open_intervals();
  const Position sealed_at = rejoiner_->sealed_at();
  const RoleState& role = role_.state();
  const BinlogIndex index = read_binlog_index(role.binlog_index, role.binlog_base);
  for (const LedgerInterval& interval : open) {
    const char* const cause = rebuilt
                                  ? "rejoined, rebuilt from a copy: what was released is lost"
                                  : "rejoined: nothing stands behind where the stream was sealed";
    const bool countable = !rebuilt && index.error.empty() && !sealed_at.is_null() &&
                           !interval.from.is_null() &&
                           (interval.stream.is_null() || interval.stream == state_.origin);
    Position to = interval.from;
    std::optional<std::uint64_t> groups;
    if (countable) {
      const PosixBinlogFiles files(index.directory, index.basename);
      to = std::max(interval.from, sealed_at);
      groups = to == interval.from ? 0 : count_groups(files, interval.from, to);
    }
    if (!ledger_.add_cause(interval.id, ExposureKind::server_side, cause) ||
        !ledger_.close_interval(interval.id, to, groups.value_or(0), groups.has_value(),
                                !groups.has_value()))
      log::error("ledger_failed", "{}", ledger_.failure());
  }
}

// The applier's commits must not wait for anybody.
void SourceControl::work_as_standby(std::uint64_t now_ns) {
  phase_ = Phase::standby;
  if (degrade_mark_.stands()) {
    // It was about this host's time as the source.
    if (const int error = degrade_mark_.remove(); error != 0)
      log::error("degrade", "cannot remove {}: {}", degrade_mark_.path(), errno_text(error));
  }
  if (promoter_) promote(now_ns);
  if (phase_ != Phase::standby) return;
  rejoin(now_ns);
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kLookNs;
  problem_ = connect_commands();
  if (!problem_.empty()) return;
  if (rejoiner_) {
    const bool rejoining = role_.state().rejoining;
    rejoining_for_ = rejoiner_->look_at_server();
    if (rejoining && !role_.state().rejoining && ended_) ended_("rejoin", {});
  }
  look_at_replication(now_ns);
  const QueryResult enabled =
      command_connection_.query("SELECT @@GLOBAL.rpl_semi_sync_master_enabled");
  if (!enabled.ok()) {
    problem_ = fmt::format("cannot look at the server's semi-sync: {}", to_string(enabled.error));
    return;
  }
  problem_.clear();
  if (enabled.rows.empty() || enabled.rows[0][0] != "1") return;
  const SqlError error = command_connection_.set_global("rpl_semi_sync_master_enabled", "OFF");
  if (error.ok())
    log::warning("standby", "the server's semi-sync was ON and is OFF now: this host is a standby");
  else
    problem_ = fmt::format("cannot switch the server's semi-sync OFF: {}", to_string(error));
}

// A server that connects anew is not following for a moment: what two looks see is shown.
void SourceControl::look_at_replication(std::uint64_t now_ns) {
  if (!config_.replica || role_.state().rejoining) {
    replication_seen_.clear();
    replication_problem_.clear();
    return;
  }
  if (now_ns < next_replication_look_ns_) return;
  next_replication_look_ns_ = now_ns + kReplicationLookNs;
  std::string now = replication_problem(command_connection_.query("SHOW SLAVE STATUS"),
                                        config_.replica->feed_listen.udp_port);
  replication_problem_ = replication_seen_.empty() ? std::string() : now;
  replication_seen_ = std::move(now);
}

// Commits that waited when the term ended are let go by the server's own timeout, and then its
// engine has what nobody else has (S8): a rejoin must not cut that off.
void SourceControl::watch_fenced_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  ++polls_;
  if (!poller_ || !poll_connection_.is_connected()) {
    ServerFacts facts;
    next_poll_ns_ = now_ns + kLookNs;
    if (const SqlError error = connect_poller(facts); !error.ok()) return note_failed_poll(error);
    if (!facts.run.is_same_as(run_)) begin_watching(facts.run);
    run_ = facts.run;
    commits_held_back_ = false;
  }
  const SemiSyncPoll poll = poller_->poll();
  if (!poll.ok()) {
    poll_connection_.close();  // the next one may do better
    return note_failed_poll(poll.error);
  }
  poll_problem_.clear();
  const ServerCounters now{poll.status.yes_tx, poll.status.no_tx, poll.status.no_times};
  const bool let_go = fenced_watch_.let_go(now, poll.status.status_on);
  if (let_go && !expose_fenced()) return;  // tried again with the next poll
  fenced_watch_.taken(now, poll.status.status_on);
  server_status_ = poll.status;
  hold_back_commits(poll.status);
}

// read_only does not bind accounts with READ_ONLY ADMIN, and no commit waits any more once the
// server's own timeout has ended a wait. So a commit that comes after the fence is made to wait for
// a quorum that does not come: semi-sync is armed again, with the longest timeout there is. What
// waited before keeps the timeout that it began with (S13). A fence that is lifted, and a rejoin,
// set both anew.
void SourceControl::hold_back_commits(const SemiSyncStatus& status) {
  if (commits_held_back_ && status.status_on) return;
  SqlError error = poller_->set_server_timeout(kLongestTimeoutMs, source_.timeout_ms);
  // Nobody waits while it is off, so OFF lets nobody go.
  if (error.ok() && !status.status_on && status.enabled) error = poller_->set_enabled(false);
  if (error.ok() && !status.status_on) error = poller_->set_enabled(true);
  if (error.ok() && !commits_held_back_)
    log::warning("fenced", "commits that the server still takes wait for a quorum from now on");
  commits_held_back_ = error.ok();
}

// A daemon that was restarted while FENCED goes by what it had on record; what another run of the
// server let go shows in that server's files (Rejoiner).
void SourceControl::begin_watching(const ServerRun& run) {
  const auto last_run = parse_server_run(state_.server_run);
  const bool same = last_run && last_run->is_same_as(run);
  fenced_watch_.begin_run(same ? std::optional(state_.counters) : std::nullopt);
}

bool SourceControl::expose_fenced() {
  const auto& open = ledger_.open_intervals();
  const Position from = open.empty() ? state_.quorum : open.back().from;
  constexpr const char* kReason = "the server let waiting commits go while this host was FENCED";
  if (!ledger_.expose(from, state_.epoch, ExposureKind::server_side, kReason)) {
    log::error("ledger_failed", "{}", ledger_.failure());
    return false;
  }
  log::error("exposed", "{}: what stands behind {} was told to clients, and nobody else holds it",
             kReason, to_string(from));
  return true;
}

SqlError SourceControl::connect_poller(ServerFacts& facts) {
  if (SqlError error = poll_connection_.connect(); !error.ok()) return error;
  ServerFactsResult result = read_server_facts(poll_connection_);
  if (!result.ok()) return result.error;
  facts = std::move(result.facts);
  poller_.emplace(poll_connection_, facts.semi_sync_words, facts.flavour);
  return {};
}

void SourceControl::work_as_fenced(std::uint64_t now_ns) {
  phase_ = Phase::fenced;
  record_fence_again(now_ns);
  watch_fenced_server(now_ns);
  rejoin(now_ns);
  if (phase_ != Phase::fenced) return;
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kLookNs;
  if (rejoiner_ && role_.state().cut.under_way()) {
    problem_ = rejoiner_->finish_cut();
    if (!problem_.empty()) return;
  }
  leave_read_only_mark();
  problem_ = keep_read_only();
  if (role_.on_record()) return;
  problem_ = fence_not_on_record() + (problem_.empty() ? "" : "; " + problem_);
}

}  // namespace binlane

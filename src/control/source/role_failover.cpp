// RoleController, the part that promotes a standby to the source, and makes an old source a
// standby.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "control/replica/replica_side.h"
#include "control/source/role_controller.h"
#include "control/source/source_pace.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {
namespace {

// How long a rejoin waits for the new source to contact this host.
constexpr std::uint64_t kSuccessorWaitNs = 5 * kNanosPerSecond;
static_assert(kSuccessorWaitNs > 3 * kRefusedRepeatNs);

}  // namespace

Status RoleController::promote(bool dry_run, bool from_live_source) {
  if (!promoter_)
    return Status::failed(
        "this host has no [replica] section, so it holds no log to continue from");
  if (role() == HostRole::fenced)
    return Status::failed(
        "this host is FENCED: it was the source before, and has to rejoin first (binlane rejoin)");
  if (role() == HostRole::source) return Status::failed("this host is the source already");
  if (promoter_->running()) return Status::failed("this host's promotion is in progress already");
  if (donor_->lending())
    promoter_->refuse(
        "another host's promotion is in progress, and this host serves its log to it");
  else if (dry_run)
    promoter_->plan(from_live_source);
  else
    promoter_->begin(from_live_source);
  promotion_audited_ = false;
  return Status::ok();
}

// On a standby, commits of the server's applier must wait for nobody.
void RoleController::work_as_standby(std::uint64_t now_ns) {
  // A mark that is set is from the time when this host was the source.
  degrade_mark_.remove(now_ns);
  if (promoter_) work_on_promotion(now_ns);
  if (phase() != SourcePhase::standby) return;
  work_on_rejoin(now_ns);
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kServerRetryNs;
  problem_ = parts_.server.connect_commands().text();
  if (!problem_.empty()) return;
  if (rejoiner_) {
    const bool rejoining = parts_.role.state().rejoining;
    const bool refused = !rejoiner_->view().refusal.empty();
    rejoining_for_ = rejoiner_->observe_server(now_ns).text();
    const std::string& refusal = rejoiner_->view().refusal;
    const bool ends =
        rejoining && (!parts_.role.state().rejoining || (!refused && !refusal.empty()));
    if (ends && ended_) ended_("rejoin", refusal);
  }
  const bool follows = config_.replica && !parts_.role.state().rejoining;
  if (fitness_ && follows) fitness_->look(now_ns);
  standby_.look_at_replication(now_ns, follows ? config_.replica->feed_listen.udp_port : 0);
  problem_ = standby_.keep_semi_sync_off().text();
}

void RoleController::work_on_promotion(std::uint64_t now_ns) {
  if (!promoter_->running()) {
    // A promotion that was refused ends here; one that succeeded ends in take_over().
    if (!std::exchange(promotion_audited_, true) && ended_)
      ended_("promote", promoter_->view().refusal);
    return donor_->work(now_ns);
  }
  promoter_->work(now_ns);
  if (promoter_->succeeded()) take_over();
}

// The record already says that this host is the source.
void RoleController::take_over() {
  BL_ASSERT(role() == HostRole::source && running() == nullptr);
  if (!std::exchange(promotion_audited_, true) && ended_) ended_("promote", {});
  parts_.records.reload();
  starter_.forget_binding();
  start_over();
  tell_replica_side();
}

Status RoleController::rejoin(const RejoinOptions& options) {
  if (!rejoiner_)
    return Status::failed("this host has no [replica] section, so it cannot be a replica");
  if (wanted_rejoin_) return Status::failed("a rejoin of this host is in progress already");
  if (phase() == SourcePhase::promoting)
    return Status::failed("this host's promotion is in progress");
  if (role() == HostRole::source)
    return Status::failed("this host is not FENCED: it is the source, and knows of no later one");
  if (role() == HostRole::standby && !options.rebuilt)
    return Status::failed(
        "this host is a standby already. If its server was rebuilt from a copy of another one, use "
        "binlane rejoin --rebuilt");
  BL_ASSERT(role() == HostRole::fenced || options.rebuilt);
  wanted_rejoin_ = {options, parts_.time.now_ns()};
  return Status::ok();
}

// Returns true if the host's role may have changed.
bool RoleController::work_on_rejoin(std::uint64_t now_ns) {
  if (!wanted_rejoin_ || (promoter_ && promoter_->running())) return false;
  const RejoinOptions options = wanted_rejoin_->options;
  // After a start of binlaned no HELLO may have arrived yet; the new source sends one every second.
  const bool heard = options.rebuilt || replica_->control().successor().has_value();
  if (!heard && now_ns < wanted_rejoin_->since_ns + kSuccessorWaitNs) return false;
  const bool standby = rejoiner_->run(options);
  wanted_rejoin_.reset();
  if (standby) {
    BL_ASSERT(role() == HostRole::standby);
    close_ledger_of_old_stream(options.rebuilt);
    rejoining_for_ = "the server's IO thread to connect to this host's feed";
    parts_.read_only.forget();  // a standby's server is read-only like that of any replica
    fenced_.reset();
    start_over();
    tell_replica_side();
  } else if (ended_) {
    // A rejoin that was not refused ends once the server is seen to follow the feed.
    ended_("rejoin", rejoiner_->view().refusal);
  }
  return standby;
}

// Closes the intervals of the stream that has ended, because its positions mean nothing in a later
// stream. Without a rebuild the server's binlogs end where the stream was sealed, and the groups of
// an interval can be counted up to there.
void RoleController::close_ledger_of_old_stream(bool rebuilt) {
  Ledger& ledger = parts_.records.ledger();
  const std::vector<LedgerInterval> open = ledger.open_intervals();
  const Position sealed_at = rejoiner_->sealed_at();
  const RoleState& role_state = parts_.role.state();
  const BinlogIndex index = stopped_->index(role_state.binlog_index, role_state.binlog_base);
  for (const LedgerInterval& interval : open) {
    const char* const cause = rebuilt ? "rejoined after a rebuild: what was released is lost"
                                      : "rejoined: the server holds nothing after the seal";
    const bool countable =
        !rebuilt && index.error.empty() && !sealed_at.is_null() && !interval.from.is_null() &&
        (interval.stream.is_null() || interval.stream == parts_.records.state().origin);
    Position to = interval.from;
    std::optional<std::uint64_t> groups;
    if (countable) {
      const auto files = parts_.folders.open(index.directory, index.basename);
      to = std::max(interval.from, sealed_at);
      groups = to == interval.from ? 0 : count_groups(*files, interval.from, to);
    }
    if (!ledger.add_cause(interval.id, ExposureKind::server_side, cause) ||
        !ledger.close_interval(interval.id, to, groups.value_or(0), groups.has_value(),
                               !groups.has_value()))
      log::error("ledger_failed", "{}", ledger.failure());
  }
}

}  // namespace binlane

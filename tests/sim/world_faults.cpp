// World, the part that causes faults and ends them.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <iterator>

#include "violation.h"
#include "world.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kSlow = 60;          // a slow network is this many times as slow
constexpr std::uint64_t kMostInAStorm = 12;  // rotations
// A setting that is taken back between two looks at the server is not seen (fallback.h and
// synced_confirmer.h). So it lasts until some look has seen it, or for this time at most.
constexpr std::uint64_t kUnseenNs = 30 * kNanosPerSecond;
// The most that an archive keeps of its newest bytes for replicas that are away.
constexpr std::uint64_t kMostKeptForAbsent = 200'000;
// The longest step of the wall clock, forwards or backwards: a day, in seconds.
constexpr std::uint64_t kWallJump_s = 86'400;

// A source that was cut off is degraded within this time, and remains frozen for as long.
constexpr std::uint64_t kDegradedNs = 10 * kNanosPerSecond;
// A promotion has come to where a fault waits for it within this, or never does.
constexpr std::uint64_t kPromotedNs = 40 * kNanosPerSecond;
// An operator asks for a change of a setting so long, and so often.
constexpr std::uint64_t kChangedNs = 5 * kNanosPerSecond;
constexpr std::uint64_t kAskToChangeNs = 100 * kNanosPerMilli;
// A server that has ended itself is started again after this time.
constexpr std::uint64_t kAbortedNs = 700 * kNanosPerMilli;
constexpr std::uint64_t kFreezeLeastNs = 1500 * kNanosPerMilli;
constexpr std::uint64_t kFreezeMostNs = 20 * kNanosPerSecond;

// These wait for their moment in a promotion, which they ask for if nobody has.
bool waits_for_promotion(FaultKind kind) {
  return kind >= FaultKind::rival_candidate && kind <= FaultKind::rejoin_rebuilt;
}

// These wait until the source accepts them.
bool changes_setting(FaultKind kind) {
  return kind >= FaultKind::live_quorum_change && kind <= FaultKind::live_mode_change;
}

bool lasts(FaultKind kind) {
  switch (kind) {
    case FaultKind::loss:
    case FaultKind::duplication:
    case FaultKind::reordering:
    case FaultKind::delay_spike:
    case FaultKind::corruption:
    case FaultKind::truncation:
    case FaultKind::replay:
    case FaultKind::symmetric_partition:
    case FaultKind::asymmetric_partition:
    case FaultKind::partial_partition:
    case FaultKind::clogging:
    case FaultKind::write_error:
    case FaultKind::sync_error:
    case FaultKind::slow_disk:
    case FaultKind::archive_full:
    case FaultKind::archive_pruned:
    case FaultKind::archive_sync_error:
    case FaultKind::superblock_error:
    case FaultKind::exposure_error:
    case FaultKind::state_error:
    case FaultKind::role_error:
    case FaultKind::ledger_error:
    case FaultKind::source_freeze:
    case FaultKind::operator_off:
    case FaultKind::sync_binlog_off:
    case FaultKind::kill_waiter:
    case FaultKind::reset_master:
    case FaultKind::second_acker:
      return true;
    default:
      return waits_for_promotion(kind) || changes_setting(kind);
  }
}

// A ledger's fault: its disk is full, or broken.
bool no_room(const Fault& fault) {
  return fault.draw / 7 % 2 == 0;
}

// RESET … TO n: the first binlog after it may seem to follow the newest one before it.
std::uint32_t reset_to(const Fault& fault, const BinlogStore& binlogs) {
  return fault.draw / 7 % 3 == 0 ? binlogs.last() + 1 : 1;
}

double share(std::uint64_t draw, std::uint64_t most_percent) {
  return static_cast<double>(1 + draw / 7 % most_percent) / 100.0;
}

}  // namespace

void World::run_faults() {
  while (next_fault_ < plan_.size() && plan_[next_fault_].at_ns <= clock_.time_ns) {
    Fault fault = plan_[next_fault_++];
    fault.at_ns = clock_.time_ns;  // a look before this step has not seen the fault
    begin_fault(fault);
  }
  for (std::size_t i = 0; i < lasting_.size();) {
    const Fault fault = lasting_[i];
    bool over = clock_.time_ns >= fault.at_ns + fault.length_ns;
    // OFF and ON again show in the server's counters; sync_binlog leaves no trace there.
    const bool to_be_seen = fault.kind == FaultKind::sync_binlog_off;
    if (to_be_seen && source_->looked_ns() <= fault.at_ns)
      over = clock_.time_ns >= fault.at_ns + kUnseenNs;
    // These faults wait for their moment, and do not last.
    if (fault.kind == FaultKind::kill_waiter && server().up() && server().waiting() > 0) {
      server().kill_waiter();
      over = true;
    }
    // Nobody who is about to promote a host resets the binlogs.
    if (fault.kind == FaultKind::reset_master)
      over = promotion_asked_ || server().reset_master(reset_to(fault, binlogs())) || over;
    if (fault.kind == FaultKind::source_freeze) over = freeze_is_over(fault);
    if (changes_setting(fault.kind))
      over = change_setting(fault) || clock_.time_ns >= fault.at_ns + kChangedNs;
    if (waits_for_promotion(fault.kind))
      over = strike_promotion(fault) || clock_.time_ns >= fault.at_ns + kPromotedNs;
    if (!over) {
      ++i;
      continue;
    }
    lasting_.erase(lasting_.begin() + static_cast<std::ptrdiff_t>(i));
    end_fault(fault);
  }
}

Status World::change_rule(SourceHost& source, const Fault& fault) {
  return source.change([&](SourceHostOptions& options) {
    ++options.rule.number;
    const auto members = static_cast<std::uint64_t>(std::popcount(options.rule.clauses[0].members));
    options.rule.clauses[0].count =
        static_cast<std::uint32_t>(1 + fault.draw / 7 % std::max<std::uint64_t>(members - 1, 1));
  });
}

// What the operator asks for, of whoever is the source. False: it is refused for now, or there is
// none.
bool World::change_setting(const Fault& fault) {
  if (clock_.time_ns < next_change_ns_) return false;
  next_change_ns_ = clock_.time_ns + kAskToChangeNs;
  SourceHost& source = source_of_now();
  if (!source.running()) return false;
  Status done;
  switch (fault.kind) {
    case FaultKind::live_quorum_change:
      done = change_rule(source, fault);
      break;
    case FaultKind::live_timeout_change:
      done = source.change([&](SourceHostOptions& options) {
        options.fallback.timeout_ns = (1 + fault.draw / 7 % 4) * 500 * kNanosPerMilli;
        options.fallback.server_timeout_ns =
            options.fallback.timeout_ns + (1 + fault.draw / 64 % 3) * kNanosPerSecond;
      });
      break;
    case FaultKind::live_wait_point_change:
      done = source.change([&](SourceHostOptions& options) {
        options.wait_point = options.wait_point == WaitPoint::after_sync ? WaitPoint::after_commit
                                                                         : WaitPoint::after_sync;
      });
      break;
    default:
      done = source.change([&](SourceHostOptions& options) {
        constexpr FallbackMode kModes[] = {FallbackMode::degrade, FallbackMode::block,
                                           FallbackMode::fail};
        options.fallback.mode = kModes[fault.draw / 7 % std::size(kModes)];
      });
      break;
  }
  ++(done.is_ok() ? setting_counts_.changed : setting_counts_.refused);
  if (done.is_failed()) trace_.line("change refused: " + done.text());
  return done.is_ok();
}

// Cut off it degrades; then it stands still with its server, and somebody is promoted. It wakes up
// when that is done, or has been given up, and hears its replicas at once or a while later.
bool World::freeze_is_over(const Fault& fault) {
  if (!frozen_) {
    const bool degrades = source_->up() && server().up() && source_->running();
    if (!degrades || clock_.time_ns >= fault.at_ns + kDegradedNs) return true;
    if (source_->fallback_state() != FallbackState::async) return false;
    frozen_ = true;
    thaw_ns_ = clock_.time_ns + kFreezeMostNs;
    begin_promotion(Fault{FaultKind::promotion, clock_.time_ns, 0, fault.draw / 192 * 192}, 0);
  }
  const bool decided =
      promotion_asked_ && promoted() && clock_.time_ns + kFreezeMostNs > thaw_ns_ + kFreezeLeastNs;
  const bool gone = !source_->up() || !server().up();
  if (!gone && !decided && clock_.time_ns < thaw_ns_) {
    source_->pause_until(thaw_ns_);
    server().paused_until_ns = thaw_ns_;
    return false;
  }
  if (!waking_) {
    waking_ = true;
    source_->pause_until(0);
    server().paused_until_ns = 0;
    hears_again_ns_ = clock_.time_ns + (fault.draw % 2 == 0 ? 0 : fault.length_ns);
    if (!gone) checks_->on_source_wakes();
  }
  if (clock_.time_ns < hears_again_ns_) return false;
  frozen_ = waking_ = false;
  return true;
}

std::vector<World::Block> World::partition_of(const Fault& fault) const {
  const std::uint32_t source = 1;
  const std::uint32_t one = replicas_[fault.draw % replicas_.size()]->endpoint().ipv4;
  switch (fault.kind) {
    case FaultKind::symmetric_partition:
    case FaultKind::source_freeze:
      return {{source, 0}, {0, source}};
    case FaultKind::asymmetric_partition:
      return fault.draw / 64 % 2 == 0 ? std::vector<Block>{{source, 0}}
                                      : std::vector<Block>{{0, source}};
    default: {
      const std::uint32_t other = replicas_[fault.draw / 64 % replicas_.size()]->endpoint().ipv4;
      return {{source, one}, {one, source}, {other, source}};
    }
  }
}

void World::begin_fault(const Fault& fault) {
  trace_.note(to_string(fault.kind), fault.length_ns / kNanosPerMicro, fault.draw % 1000);
  ++fault_counts_[static_cast<std::size_t>(fault.kind)];
  const std::uint64_t back_ns = clock_.time_ns + kNanosPerMilli + fault.length_ns;
  auto& faults = network_->faults;
  ReplicaHost& replica = pick(fault);
  Restart& restart = replica_restarts_[fault.draw % replicas_.size()];
  if (lasts(fault.kind)) lasting_.push_back(fault);
  switch (fault.kind) {
    case FaultKind::loss:
      faults.loss = share(fault.draw, 30);
      break;
    case FaultKind::duplication:
      faults.duplicate = share(fault.draw, 30);
      break;
    case FaultKind::reordering:
      faults.reorder = share(fault.draw, 40);
      faults.reorder_ns = kNanosPerMilli;
      break;
    case FaultKind::delay_spike:
      faults.delay_ns = 1 + fault.draw % (80 * kNanosPerMilli);
      faults.jitter_ns = faults.delay_ns / 4 + 1;
      break;
    case FaultKind::corruption:
      faults.corrupt = share(fault.draw, 30);
      break;
    case FaultKind::truncation:
      faults.truncate = share(fault.draw, 20);
      break;
    case FaultKind::replay:
      faults.replay = share(fault.draw, 40);
      break;
    case FaultKind::symmetric_partition:
    case FaultKind::asymmetric_partition:
    case FaultKind::partial_partition:
      for (const Block& block : partition_of(fault)) blocks.push_back(block);
      break;
    case FaultKind::clogging:
      faults.bytes_per_ms = 20 + fault.draw / 7 % 400;
      break;
    case FaultKind::source_daemon_crash:
      source_->kill();
      source_restart_.at_ns = back_ns;
      break;
    case FaultKind::replica_daemon_crash:
      replica.kill();
      restart.at_ns = back_ns;
      break;
    case FaultKind::server_kill:
      if (!server().up()) break;
      server().kill();
      server_restart_.at_ns = back_ns;
      break;
    case FaultKind::server_shutdown:
      server().shut_down();
      if (!server().up()) server_restart_.at_ns = back_ns;
      break;
    case FaultKind::source_power_cut:
      source_->cut_power(random_);
      server_restart_.at_ns = back_ns;
      source_restart_.at_ns = back_ns + fault.draw % kNanosPerSecond;
      break;
    case FaultKind::source_pause:
      source_->pause_until(back_ns);
      break;
    case FaultKind::replica_pause:
      replica.paused_until_ns = back_ns;
      break;
    case FaultKind::power_cut_4k:
    case FaultKind::power_cut_512:
      replica.disk().tear = fault.kind == FaultKind::power_cut_4k ? 4096 : 512;
      candidates_[fault.draw % replicas_.size()]->cut_power(random_);
      restart.at_ns = back_ns;
      break;
    case FaultKind::lost_write:
      replica.impaired = true;
      replica.disk().lose_writes = 1;
      break;
    case FaultKind::misdirected_write:
      replica.impaired = true;
      replica.disk().misdirect_writes = 1;
      break;
    case FaultKind::bit_rot:
      replica.impaired = true;
      replica.disk().rot(fault.draw % (replica.platter_size() * 8));
      if (fault.draw / 7 % 2 == 0) {  // the next opening of the journal finds the damage
        replica.kill();
        restart.at_ns = back_ns;
      }
      break;
    case FaultKind::write_error:
      replica.disk().failing = true;
      break;
    case FaultKind::sync_error:
      replica.disk().sync_failing = true;
      break;
    case FaultKind::slow_disk:
      replica.disk().min_ns *= kSlow;
      replica.disk().max_ns *= kSlow;
      break;
    case FaultKind::archive_full:
      replica.files().full = true;
      break;
    case FaultKind::archive_pruned: {
      RetentionPolicy policy;
      policy.keep_bytes = 1;
      policy.keep_for_absent_bytes = fault.draw / 7 % 3 == 0 ? 0 : fault.draw % kMostKeptForAbsent;
      replica.prune_by(policy);
      break;
    }
    case FaultKind::archive_sync_error:
      replica.files().sync_error = EIO;
      break;
    case FaultKind::superblock_error:
      replica.superblock().failing = true;
      break;
    case FaultKind::reseed:
      replica.kill();
      replica.reseed();
      replica.impaired = true;  // until it has caught up (operators())
      restart.at_ns = back_ns;
      break;
    case FaultKind::exposure_error:
      replica.exposures_failing = true;
      break;
    case FaultKind::state_error:
      source_->state_failing = true;
      break;
    case FaultKind::role_error:
      source_->role_failing_until_ns = UINT64_MAX;
      break;
    case FaultKind::source_freeze:
      // Nobody reaches the source until it is degraded (run_faults()).
      for (const Block& block : partition_of(fault)) blocks.push_back(block);
      break;
    case FaultKind::ledger_error:
      SourceHost::fail_ledger(no_room(fault) ? ENOSPC : EIO);
      break;
    case FaultKind::operator_off:
      if (server().up()) server().set_enabled(false);
      break;
    case FaultKind::sync_binlog_off:
      server().set_sync_binlog(0);
      break;
    case FaultKind::flush_logs:
      server().flush_logs();
      break;
    case FaultKind::torn_binlog:
      if (!promotion_asked_) server().tear_next_group();
      break;
    case FaultKind::delete_domain:
      server().delete_domain();
      break;
    case FaultKind::second_acker:
      server().connect_foreign();
      break;
    case FaultKind::rotation_storm:
      server().storm(static_cast<std::uint32_t>(2 + fault.draw / 7 % kMostInAStorm));
      break;
    case FaultKind::purge: {
      std::uint32_t file = binlogs().last();
      if (fault.draw / 7 % 3 != 0) {  // mostly only what nobody needs any more
        for (const auto& each : replicas_) file = std::min(file, each->archive_end().file);
      }
      if (file > 0) server().purge_before(file);
      break;
    }
    case FaultKind::quorum_change:
      source_->kill();
      static_cast<void>(change_rule(*source_, fault));
      source_restart_.at_ns = clock_.time_ns + kNanosPerMilli;
      break;
    case FaultKind::wall_clock_jump:
      calls_->wall_offset_s += static_cast<std::int64_t>(fault.draw % (2 * kWallJump_s)) -
                               static_cast<std::int64_t>(kWallJump_s);
      break;
    case FaultKind::promotion:
      begin_promotion(fault, back_ns);
      break;
    case FaultKind::rival_candidate:
    case FaultKind::later_promotion:
    case FaultKind::candidate_daemon_crash:
    case FaultKind::candidate_server_down:
    case FaultKind::candidate_power_cut:
    case FaultKind::candidate_role_error:
    case FaultKind::new_source_daemon_crash:
    case FaultKind::new_source_server_kill:
    case FaultKind::new_source_power_cut:
    case FaultKind::rejoin:
    case FaultKind::rejoin_cut:
    case FaultKind::rejoin_rebuilt:
      begin_promotion(fault, back_ns);
      break;
    case FaultKind::kill_waiter:
    case FaultKind::reset_master:
    case FaultKind::live_quorum_change:
    case FaultKind::live_timeout_change:
    case FaultKind::live_wait_point_change:
    case FaultKind::live_mode_change:
      break;  // run_faults() finds the moment
  }
}

void World::end_fault(const Fault& fault) {
  auto& faults = network_->faults;
  const test::LinkFaults none;
  ReplicaHost& replica = pick(fault);
  Restart& restart = replica_restarts_[fault.draw % replicas_.size()];
  // What has failed for good works again in a new process only.
  const auto renew_replica = [&] {
    replica.kill();
    restart.at_ns = clock_.time_ns + kNanosPerMilli;
  };
  const auto renew_source = [&] {
    source_->kill();
    source_restart_.at_ns = clock_.time_ns + kNanosPerMilli;
  };
  switch (fault.kind) {
    case FaultKind::loss:
      faults.loss = none.loss;
      break;
    case FaultKind::duplication:
      faults.duplicate = none.duplicate;
      break;
    case FaultKind::reordering:
      faults.reorder = none.reorder;
      break;
    case FaultKind::delay_spike:
      faults.delay_ns = none.delay_ns;
      faults.jitter_ns = none.jitter_ns;
      break;
    case FaultKind::corruption:
      faults.corrupt = none.corrupt;
      break;
    case FaultKind::truncation:
      faults.truncate = none.truncate;
      break;
    case FaultKind::replay:
      faults.replay = none.replay;
      break;
    case FaultKind::symmetric_partition:
    case FaultKind::asymmetric_partition:
    case FaultKind::partial_partition:
    case FaultKind::source_freeze:
      for (const Block& block : partition_of(fault)) {
        const auto found = std::find(blocks.begin(), blocks.end(), block);
        if (found != blocks.end()) blocks.erase(found);
      }
      break;
    case FaultKind::clogging:
      faults.bytes_per_ms = none.bytes_per_ms;
      break;
    case FaultKind::write_error:
      replica.disk().failing = false;
      renew_replica();
      break;
    case FaultKind::sync_error:
      replica.disk().sync_failing = false;
      renew_replica();
      break;
    case FaultKind::slow_disk:
      replica.disk().min_ns /= kSlow;
      replica.disk().max_ns /= kSlow;
      break;
    case FaultKind::archive_full:
      replica.files().full = false;
      break;
    case FaultKind::archive_pruned:
      replica.prune_by(std::nullopt);
      break;
    case FaultKind::archive_sync_error:
      replica.files().sync_error = 0;
      renew_replica();
      break;
    case FaultKind::superblock_error:
      replica.superblock().failing = false;
      renew_replica();
      break;
    case FaultKind::exposure_error:
      replica.exposures_failing = false;
      renew_replica();
      break;
    case FaultKind::state_error:
      source_->state_failing = false;
      renew_source();
      break;
    case FaultKind::role_error:
      source_->role_failing_until_ns = 0;  // a store that failed is tried again by itself
      break;
    case FaultKind::ledger_error:
      SourceHost::fail_ledger(0);
      // A ledger that found no room continues by itself.
      if (no_room(fault)) break;
      renew_source();
      for (std::size_t i = 0; i < candidates_.size(); ++i) {
        if (!candidates_[i]->up() || !candidates_[i]->ledger()->failed()) continue;
        candidates_[i]->kill();
        replica_restarts_[i].at_ns = clock_.time_ns + kNanosPerMilli;
      }
      break;
    case FaultKind::operator_off:
      if (server().up()) server().set_enabled(true);
      break;
    case FaultKind::second_acker:
      server().disconnect_foreign();
      break;
    case FaultKind::sync_binlog_off:
      // Another fault of the same kind may still have to be seen.
      if (std::ranges::none_of(lasting_, [&](const Fault& f) { return f.kind == fault.kind; }))
        server().set_sync_binlog(1);
      break;
    default:
      break;
  }
}

bool World::strike_promotion(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::rival_candidate:
      return ask_rival(fault);
    case FaultKind::later_promotion:
      return begin_later_promotion(fault);
    case FaultKind::new_source_daemon_crash:
    case FaultKind::new_source_server_kill:
    case FaultKind::new_source_power_cut:
      return strike_new_source(fault);
    case FaultKind::rejoin:
    case FaultKind::rejoin_cut:
    case FaultKind::rejoin_rebuilt:
      return rejoin(fault);
    default:
      return strike_candidate(fault);
  }
}

void World::heal() {
  trace_.note("healing");
  const std::vector<Fault> ending = std::exchange(lasting_, {});
  for (const Fault& fault : ending) end_fault(fault);
  network_->faults = {};
  blocks.clear();
  server().set_sync_binlog(1);
  source_->pause_until(0);
  server().paused_until_ns = 0;
  frozen_ = waking_ = false;
  for (auto& replica : replicas_) replica->paused_until_ns = 0;
  for (auto& candidate : candidates_) {
    candidate->role_failing_until_ns = 0;
    candidate->own().server().down_until_ns = 0;
    candidate->paused_until_ns = 0;
  }
}

void World::restarts() {
  // Whatever watches over a server starts it again when it has ended itself.
  if (server().aborted() && !server_restart_.wanted())
    server_restart_.at_ns = clock_.time_ns + kAbortedNs;
  if (server_restart_.at_ns <= clock_.time_ns) {
    server_restart_ = {};
    source_->start_server();
  }
  if (source_restart_.at_ns <= clock_.time_ns) {
    source_restart_ = {};
    if (!source_->up()) source_->start();
  }
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    ReplicaHost& replica = *replicas_[i];
    if (replica_restarts_[i].at_ns > clock_.time_ns) continue;
    replica_restarts_[i] = {};
    candidates_[i]->start_machine();
    if (replica.up() || replica.superblock().failing) continue;
    if (!replica.impaired)
      throw Violation(fmt::format("{} does not open: {}", replica.name(), replica.problem()));
    replica.reseed();
    replica.impaired = true;
    replica.start();
    if (!replica.up()) throw Violation("an empty journal does not open: " + replica.problem());
  }
}

// A machine that was replaced counts again once it holds everything.
void World::mend_trust(ReplicaHost& replica, const BinlogStore& binlogs, const Uuid& origin) {
  if (replica.impaired && replica.disk().honest() && !replica.damaged() &&
      fault_counts_[static_cast<std::size_t>(FaultKind::bit_rot)] == 0 &&
      replica.journal()->durable() >= binlogs.durable_until() && replica.stream().origin == origin)
    replica.impaired = false;
}

// A binlog is damaged, so only the server has what comes after the damage. An operator begins a new
// stream with the server's data, but not while somebody is being promoted.
bool World::mend_damaged_source() {
  if (!source_->up() || !server().up() || source_->running() ||
      source_->problem().find("is damaged at") == std::string::npos)
    return false;
  if (fault_counts_[static_cast<std::size_t>(FaultKind::torn_binlog)] == 0 &&
      server().torn_at().is_null())
    throw Violation("a binlog is called damaged without a cause: " + source_->problem());
  if ((promotion_asked_ && !promoted()) || !server().reset_master()) return false;
  source_->kill();
  source_->forget_state();
  source_->start();
  return true;
}

// The record that Binlane had made the server read-only could not be written, as its log says, and
// the daemon was restarted since.
void World::lift_forgotten_read_only(SourceHost& source) {
  if (source.read_only_unmarked() && source.server().read_only() &&
      source.fallback_state() == FallbackState::semisync)
    source.server().lift_read_only();
}

void World::operators() {
  if (mend_damaged_source()) return;
  lift_forgotten_read_only(source_of_now());
  if (promotion_asked_) return operators_behind_promotion();
  if (!source_->up() || !server().up()) return;
  const bool reset = server().resets() > 0;
  // The binlogs were reset while no daemon ran. The daemon says what to do.
  if (!source_->running() && source_->problem().find("were reset or") != std::string::npos) {
    if (!reset) throw Violation("the source is refused without a cause: " + source_->problem());
    source_->kill();
    source_->forget_state();
    source_->start();
    return;
  }
  if (!source_->running()) return;
  const auto views = source_->replicas();
  for (std::size_t i = 0; i < views.size(); ++i) {
    ReplicaHost& replica = *replicas_[i];
    if (!replica.up()) continue;
    mend_trust(replica, binlogs(), source_->origin());
    const std::string& refusal = views[i].refusal;
    if (views[i].in_session || refusal.empty()) continue;
    // Two streams that were reset within a second begin alike. A daemon that died in that second
    // had not put on record what it had told replicas of the first one.
    const bool twin =
        server().resets() > 1 && refusal.find("was told to be safe") != std::string::npos;
    const bool foreign = twin || refusal.find("holds the stream") != std::string::npos ||
                         refusal.find("another source's stream") != std::string::npos ||
                         refusal.find("not the same stream") != std::string::npos;
    const bool purge = fault_counts_[static_cast<std::size_t>(FaultKind::purge)] > 0;
    const bool purged = refusal.find("purged") != std::string::npos;
    // Until the source notices the reset, old positions mean nothing.
    const bool gone = reset && refusal.find("cannot read its own binlog") != std::string::npos;
    if (!foreign && !purged) {
      const bool passing = refusal.find("device failed") != std::string::npos ||
                           refusal.find("cannot be") != std::string::npos ||
                           refusal.find("cannot record the quorum rule") != std::string::npos ||
                           refusal.find("same journal") != std::string::npos || gone;
      if (passing || replica.impaired) continue;
      throw Violation(fmt::format("{} is refused: {}", replica.name(), refusal));
    }
    // A file that a crash of the server had ended, and that is purged at once, looks the same as
    // one that a reset has removed.
    const bool vanished = purge && server().run() > 1;
    const bool cause = (foreign && (reset || vanished)) || (purged && purge) || replica.impaired;
    if (!cause)
      throw Violation(fmt::format("{} is refused without a cause: {}", replica.name(), refusal));
    replica.kill();
    replica.reseed();
    replica.impaired = true;
    replica.start();
  }
}

}  // namespace binlane::sim

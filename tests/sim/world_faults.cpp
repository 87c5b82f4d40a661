// World, the part that breaks things and mends them.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "violation.h"
#include "world.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kSlow = 60;          // times as slow as it was
constexpr std::uint64_t kMostInAStorm = 12;  // rotations
// What is taken back between two looks at the server is not seen; fallback.h and
// synced_confirmer.h say so. Here it lasts until it was looked at, or for as long as this.
constexpr std::uint64_t kUnseenNs = 30 * kNanosPerSecond;
// What an archive keeps of its newest bytes for replicas that are away.
constexpr std::uint64_t kMostKeptForAbsent = 200'000;
// The longest step of the wall clock, either way: a day.
constexpr std::uint64_t kWallJump_s = 86'400;

// A source that was cut off is degraded within this; frozen it stays for so long.
constexpr std::uint64_t kDegradedNs = 10 * kNanosPerSecond;
constexpr std::uint64_t kFreezeLeastNs = 1500 * kNanosPerMilli;
constexpr std::uint64_t kFreezeMostNs = 20 * kNanosPerSecond;

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
      return false;
  }
}

// A ledger's fault: its disk is full, or broken.
bool no_room(const Fault& fault) {
  return fault.draw / 7 % 2 == 0;
}

double share(std::uint64_t draw, std::uint64_t most_percent) {
  return static_cast<double>(1 + draw / 7 % most_percent) / 100.0;
}

}  // namespace

void World::run_faults() {
  while (next_fault_ < plan_.size() && plan_[next_fault_].at_ns <= clock_.time_ns) {
    Fault fault = plan_[next_fault_++];
    fault.at_ns = clock_.time_ns;  // what was looked at before this step has not seen it
    begin_fault(fault);
  }
  for (std::size_t i = 0; i < lasting_.size();) {
    const Fault fault = lasting_[i];
    bool over = clock_.time_ns >= fault.at_ns + fault.length_ns;
    // OFF and ON again show in the server's counters; this leaves no trace there.
    const bool to_be_seen = fault.kind == FaultKind::sync_binlog_off;
    if (to_be_seen && source_->looked_ns() <= fault.at_ns)
      over = clock_.time_ns >= fault.at_ns + kUnseenNs;
    // These wait for their moment, and then do not last.
    if (fault.kind == FaultKind::kill_waiter && server_->up() && server_->waiting() > 0) {
      server_->kill_waiter();
      over = true;
    }
    // Who is about to promote somebody resets nothing.
    if (fault.kind == FaultKind::reset_master)
      over = promotion_asked_ || server_->reset_master() || over;
    if (fault.kind == FaultKind::source_freeze) over = freeze_is_over(fault);
    if (!over) {
      ++i;
      continue;
    }
    lasting_.erase(lasting_.begin() + static_cast<std::ptrdiff_t>(i));
    end_fault(fault);
  }
}

// Cut off it degrades; then it stands still with its server, and somebody is promoted. It wakes up
// when that is done, or has been given up, and hears its replicas at once or a while later.
bool World::freeze_is_over(const Fault& fault) {
  if (!frozen_) {
    const bool degrades = source_->up() && server_->up() && source_->running();
    if (!degrades || clock_.time_ns >= fault.at_ns + kDegradedNs) return true;
    if (source_->fallback_state() != FallbackState::async) return false;
    frozen_ = true;
    thaw_ns_ = clock_.time_ns + kFreezeMostNs;
    begin_promotion(Fault{FaultKind::promotion, clock_.time_ns, 0, fault.draw / 192 * 192}, 0);
  }
  const bool decided =
      promotion_asked_ && promoted() && clock_.time_ns + kFreezeMostNs > thaw_ns_ + kFreezeLeastNs;
  const bool gone = !source_->up() || !server_->up();
  if (!gone && !decided && clock_.time_ns < thaw_ns_) {
    source_->paused_until_ns = server_->paused_until_ns = thaw_ns_;
    return false;
  }
  if (!waking_) {
    waking_ = true;
    source_->paused_until_ns = server_->paused_until_ns = 0;
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
      if (!server_->up()) break;
      server_->kill();
      server_restart_.at_ns = back_ns;
      break;
    case FaultKind::server_shutdown:
      server_->shut_down();
      if (!server_->up()) server_restart_.at_ns = back_ns;
      break;
    case FaultKind::source_power_cut:
      source_->kill();
      if (server_->up()) server_->kill();
      binlogs_.cut_power(random_);
      server_restart_.at_ns = back_ns;
      source_restart_.at_ns = back_ns + fault.draw % kNanosPerSecond;
      break;
    case FaultKind::source_pause:
      source_->paused_until_ns = back_ns;
      break;
    case FaultKind::replica_pause:
      replica.paused_until_ns = back_ns;
      break;
    case FaultKind::power_cut_4k:
    case FaultKind::power_cut_512:
      replica.disk().tear = fault.kind == FaultKind::power_cut_4k ? 4096 : 512;
      replica.cut_power();
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
      if (fault.draw / 7 % 2 == 0) {  // it shows at the next opening
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
      replica.impaired = true;  // until it has caught up; see operators()
      restart.at_ns = back_ns;
      break;
    case FaultKind::exposure_error:
      replica.exposures_failing = true;
      break;
    case FaultKind::state_error:
      source_->state_failing = true;
      break;
    case FaultKind::role_error:
      source_->role_failing = true;
      break;
    case FaultKind::source_freeze:
      // Until it is degraded nobody reaches it; see run_faults().
      for (const Block& block : partition_of(fault)) blocks.push_back(block);
      break;
    case FaultKind::ledger_error:
      SourceHost::fail_ledger(no_room(fault) ? ENOSPC : EIO);
      break;
    case FaultKind::operator_off:
      if (server_->up()) server_->set_enabled(false);
      break;
    case FaultKind::sync_binlog_off:
      server_->set_sync_binlog(0);
      break;
    case FaultKind::flush_logs:
      server_->flush_logs();
      break;
    case FaultKind::torn_binlog:
      if (!promotion_asked_) server_->tear_next_group();
      break;
    case FaultKind::delete_domain:
      server_->delete_domain();
      break;
    case FaultKind::second_acker:
      server_->connect_foreign();
      break;
    case FaultKind::rotation_storm:
      server_->storm(static_cast<std::uint32_t>(2 + fault.draw / 7 % kMostInAStorm));
      break;
    case FaultKind::purge: {
      std::uint32_t file = binlogs_.last();
      if (fault.draw / 7 % 3 != 0) {  // mostly what nobody needs any more
        for (const auto& each : replicas_) file = std::min(file, each->archive_end().file);
      }
      if (file > 0) server_->purge_before(file);
      break;
    }
    case FaultKind::quorum_change:
      ++source_->rule().number;
      source_->rule().clauses[0].count =
          static_cast<std::uint32_t>(1 + fault.draw / 7 % (replicas_.size() - 1));
      source_->kill();
      source_restart_.at_ns = clock_.time_ns + kNanosPerMilli;
      break;
    case FaultKind::wall_clock_jump:
      calls_->wall_offset_s += static_cast<std::int64_t>(fault.draw % (2 * kWallJump_s)) -
                               static_cast<std::int64_t>(kWallJump_s);
      break;
    case FaultKind::promotion:
      begin_promotion(fault, back_ns);
      break;
    case FaultKind::kill_waiter:
    case FaultKind::reset_master:
      break;  // run_faults() finds the moment
  }
}

void World::end_fault(const Fault& fault) {
  auto& faults = network_->faults;
  const test::LinkFaults none;
  ReplicaHost& replica = pick(fault);
  Restart& restart = replica_restarts_[fault.draw % replicas_.size()];
  // What failed for good needs a new process.
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
      source_->role_failing = false;  // a store that failed is tried again
      break;
    case FaultKind::ledger_error:
      SourceHost::fail_ledger(0);
      // What only found no room goes on by itself.
      if (!no_room(fault)) renew_source();
      break;
    case FaultKind::operator_off:
      if (server_->up()) server_->set_enabled(true);
      break;
    case FaultKind::second_acker:
      server_->disconnect_foreign();
      break;
    case FaultKind::sync_binlog_off:
      // Another one may not have been seen yet.
      if (std::ranges::none_of(lasting_, [&](const Fault& f) { return f.kind == fault.kind; }))
        server_->set_sync_binlog(1);
      break;
    default:
      break;
  }
}

void World::heal() {
  trace_.note("healing");
  const std::vector<Fault> ending = std::exchange(lasting_, {});
  for (const Fault& fault : ending) end_fault(fault);
  network_->faults = {};
  blocks.clear();
  server_->set_sync_binlog(1);
  source_->paused_until_ns = server_->paused_until_ns = 0;
  frozen_ = waking_ = false;
  for (auto& replica : replicas_) replica->paused_until_ns = 0;
}

void World::restarts() {
  if (server_restart_.at_ns <= clock_.time_ns) {
    server_restart_ = {};
    if (!server_->up()) server_->start();
  }
  if (source_restart_.at_ns <= clock_.time_ns) {
    source_restart_ = {};
    if (!source_->up()) source_->start();
  }
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    ReplicaHost& replica = *replicas_[i];
    if (replica_restarts_[i].at_ns > clock_.time_ns) continue;
    replica_restarts_[i] = {};
    if (replica.up()) continue;
    replica.start();
    if (replica.up() || replica.superblock().failing) continue;
    if (!replica.impaired)
      throw Violation(fmt::format("{} does not open: {}", replica.name(), replica.problem()));
    replica.reseed();
    replica.impaired = true;
    replica.start();
    if (!replica.up()) throw Violation("an empty journal does not open: " + replica.problem());
  }
}

// A machine that was replaced counts again once it has everything.
void World::mend_trust(ReplicaHost& replica, const BinlogStore& binlogs, const Uuid& origin) {
  if (replica.impaired && replica.disk().honest() && !replica.damaged() &&
      fault_counts_[static_cast<std::size_t>(FaultKind::bit_rot)] == 0 &&
      replica.journal()->durable() >= binlogs.durable_until() && replica.stream().origin == origin)
    replica.impaired = false;
}

// A binlog is damaged: what is behind the place is the server's alone. A new stream begins with the
// server's data. While somebody is being promoted nobody does that.
bool World::mend_damaged_source() {
  if (!source_->up() || !server_->up() || source_->running() ||
      source_->problem().find("is damaged at") == std::string::npos)
    return false;
  if (fault_counts_[static_cast<std::size_t>(FaultKind::torn_binlog)] == 0 &&
      server_->torn_at().is_null())
    throw Violation("a binlog is called damaged without a cause: " + source_->problem());
  if ((promotion_asked_ && !promoted()) || !server_->reset_master()) return false;
  source_->kill();
  source_->forget_state();
  source_->start();
  return true;
}

void World::operators() {
  if (mend_damaged_source()) return;
  if (promotion_asked_) return operators_behind_promotion();
  if (!source_->up() || !server_->up()) return;
  const bool reset = server_->resets() > 0;
  // The binlogs were reset while nobody watched: the daemon says what to do.
  if (!source_->running() && source_->problem().find("synced") != std::string::npos &&
      source_->problem().find("before") != std::string::npos) {
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
    mend_trust(replica, binlogs_, source_->origin());
    const std::string& refusal = views[i].refusal;
    if (views[i].in_session || refusal.empty()) continue;
    // Two streams that were reset within a second begin alike; a daemon that died in that second
    // had not put on record what it had told of the first.
    const bool twin =
        server_->resets() > 1 && refusal.find("was told to be safe") != std::string::npos;
    const bool foreign = twin || refusal.find("holds the stream") != std::string::npos ||
                         refusal.find("another source's stream") != std::string::npos ||
                         refusal.find("not the same stream") != std::string::npos;
    const bool purge = fault_counts_[static_cast<std::size_t>(FaultKind::purge)] > 0;
    const bool purged = refusal.find("purged") != std::string::npos;
    // Until it shows that they were reset, their old positions mean nothing.
    const bool gone = reset && refusal.find("cannot read its own binlog") != std::string::npos;
    if (!foreign && !purged) {
      const bool passing = refusal.find("device failed") != std::string::npos ||
                           refusal.find("cannot be") != std::string::npos ||
                           refusal.find("same journal") != std::string::npos || gone;
      if (passing || replica.impaired) continue;
      throw Violation(fmt::format("{} is refused: {}", replica.name(), refusal));
    }
    // A file that its server's crash had ended, and that is purged at once, cannot be told from one
    // that was reset away.
    const bool vanished = purge && server_->run() > 1;
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

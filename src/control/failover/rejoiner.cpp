#include "control/failover/rejoiner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/failover/file_digest.h"
#include "control/failover/following.h"
#include "control/failover/tail_cut.h"
#include "shim/binlog/stream_scan.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

// How many of the groups that no other host has are named.
constexpr std::size_t kNamedGroups = 20;

constexpr const char* kRebuild =
    "rebuild this server: stop it, restore a copy of the data of the new source or of another "
    "replica (mariadb-backup keeps its gtid_slave_pos, MySQL's clone plugin its gtid_executed), "
    "start it read-only, and run binlane rejoin --rebuilt";

constexpr const char* kCutDone =
    "the tail is cut off: start the server, and run binlane rejoin again";

}  // namespace

void Rejoiner::report(std::string line) {
  log::info("rejoin", "{}", line);
  view_.report.push_back(std::move(line));
}

bool Rejoiner::run(const RejoinOptions& options) {
  view_ = {};
  seen_connection_ = 0;
  sealed_at_ = {};
  said_rebuilt_ = options.rebuilt;
  own_writes_.reset();
  const Status status = run_checked(options);
  BL_ASSERT(!status.is_pending());
  if (status.is_ok()) return true;
  log::error("rejoin_refused", "{}", status.text());
  view_.refusal = status.text();
  return false;
}

Status Rejoiner::run_checked(const RejoinOptions& options) {
  std::string gtid;
  if (!options.rebuilt) {
    if (role_.state().cut.under_way()) {
      const Status finished = finish_cut();
      return finished.is_ok() ? Status::failed(kCutDone) : finished;
    }
    const auto successor = replica_.control().successor();
    if (!successor)
      return Status::failed(
          "no new source has contacted this host yet: is it running, and does its configuration "
          "name this host among its replicas?");
    Compared found;
    if (Status compared = compare(*successor, found); !compared.is_ok()) return compared;
    if (BL_MUTANT(rejoined_with_tail, false, !found.beyond.empty())) {
      if (!options.cut)
        return Status::failed(
            fmt::format("this server holds {} event groups that no other host has; {}; or, if it "
                        "is stopped and was not started since it was the source, run binlane "
                        "rejoin --cut",
                        view_.diverging_groups, kRebuild));
      const Status done = cut(*successor, found);
      return done.is_ok() ? Status::failed(kCutDone) : done;
    }
    if (!found.server_up)
      return Status::failed(
          "nothing prevents the rejoin: start the server, and run binlane rejoin again");
    gtid = found.gtid;
  }
  // The journal comes first, because the feed of an older stream would refuse the server for good.
  if (Status forgotten = forget_journal(); !forgotten.is_ok()) return forgotten;
  if (Status follows = follow(gtid); !follows.is_ok()) return follows;
  return become_standby();
}

Status Rejoiner::become_standby() {
  RoleState role = role_.state();
  BL_ASSERT(role.role != HostRole::source);
  role.role = HostRole::standby;
  role.fenced_by = 0;
  role.fence_reason.clear();
  role.promotion = {};
  role.cut = {};
  role.rejoining = true;
  if (const int error = role_.store(role); error != 0)
    return Status::failed(fmt::format("cannot store the host's role: {}", errno_text(error)));
  report("this host is now a standby, and will receive the new source's stream");
  return Status::ok();
}

// The feed does not turn such a server away: it knows only what the source wrote.
Status Rejoiner::prove_rebuilt(std::uint64_t now_ns) {
  const Status own = own_writes_.look(now_ns);
  if (own.is_pending())
    return Status::failed(view_.refusal.empty() ? "another look at what the server has written"
                                                : view_.refusal);
  view_.refusal = own_writes_.found_some() ? own.text() : std::string();
  return own;
}

// A server may not do what it was told, so only its own answer ends a rejoin. [S22]
Status Rejoiner::observe_server(std::uint64_t now_ns) {
  if (!role_.state().rejoining) return Status::ok();
  const Result<std::uint32_t> follows = server_.follows(config_.replica->feed_listen.udp_port);
  const std::uint64_t connection =
      follows.is_ok() ? serving_connection(replica_.parts()->feed->status(), follows.value()) : 0;
  // A connection that ends at once has shown nothing: two looks have to see the same one.
  const std::uint64_t seen_before = std::exchange(seen_connection_, connection);
  if (!follows.is_ok()) return follows.status();
  if (connection == 0)
    return Status::failed(
        "this host's feed to send the new source's stream to the server, which is connected: "
        "nothing of that stream was released here yet, or the server holds more than the archive");
  if (connection != seen_before)
    return Status::failed("the server's IO thread to stay connected to this host's feed");
  if (said_rebuilt_) {
    if (Status proven = prove_rebuilt(now_ns); !proven.is_ok()) return proven;
  }
  RoleState role = role_.state();
  BL_ASSERT(role.role == HostRole::standby);
  role.rejoining = false;
  if (const int error = role_.store(role); error != 0)
    return Status::failed(fmt::format("cannot store the host's role: {}", errno_text(error)));
  report("its server is connected to this host's feed, and replicates from it");
  view_.done = true;
  return Status::ok();
}

Status Rejoiner::compare(const Successor& successor, Compared& found) {
  report(fmt::format("the source is {} (term {}); it sealed the stream {} term {} at {}",
                     successor.name, successor.candidate.term, to_string(successor.sealed_origin),
                     successor.sealed_term, to_string(successor.sealed_at)));
  if (successor.sealed_origin != state_.origin || successor.sealed_term != state_.epoch.term)
    return Status::failed(
        fmt::format("this host was the source of another stream ({} term {}), so more than one "
                    "promotion has taken place since; {}",
                    to_string(state_.origin), state_.epoch.term, kRebuild));
  found.server_up = server_.answers().is_ok();
  // Before read_only is in force, the server may still release a commit that waits, and then write
  // another one, after the binlog was compared. read_only waits for all of these.
  if (found.server_up) {
    if (Status stopped = server_.stop_writes(); !stopped.is_ok()) return stopped;
  }
  if (Status same = compare_files(successor, found); !same.is_ok()) return same;
  sealed_at_ = successor.sealed_at;
  if (Status beyond = find_groups_beyond(found); !beyond.is_ok()) return beyond;
  return found.beyond.empty() ? find_gtid(found) : Status::ok();
}

Status Rejoiner::compare_files(const Successor& successor, Compared& found) {
  const RoleState& role = role_.state();
  const BinlogIndex index = stopped_.index(role.binlog_index, role.binlog_base);
  if (!index.error.empty()) return Status::failed(index.error);
  found.place = {index.directory, index.basename, folders_.open(index.directory, index.basename)};
  found.last = index.last;
  const Position seal = successor.sealed_at;
  // A seal before any byte of a file is at the end of the previous one, which is then compared as a
  // whole. The server may have ended before it listed another.
  const std::uint32_t compared = seal.last_file();
  if (index.first > compared)
    return Status::failed(fmt::format("binlog {}, in which the stream was sealed, was purged; {}",
                                      compared, kRebuild));
  const auto digest = compared > index.last ? std::nullopt : digest_up_to(*found.place.files, seal);
  if (BL_MUTANT(rejoined_uncompared, false, digest != successor.sealed_digest))
    return Status::failed(fmt::format(
        "this server's binlog differs from the sealed stream before {}: it lost what it had not "
        "synced, or continued differently; {}",
        to_string(seal), kRebuild));
  report(fmt::format("this server's binlog is the same up to {}", to_string(seal)));
  return Status::ok();
}

Status Rejoiner::find_groups_beyond(Compared& found) {
  BL_ASSERT(found.beyond.empty() && view_.diverging_groups == 0);
  const std::string problem =
      read_groups(found.place, sealed_at_, found.last, [&](const BinlogGroup& group) {
        ++view_.diverging_groups;
        if (found.beyond.size() < kNamedGroups) found.beyond.push_back(group);
        return true;
      });
  if (!problem.empty()) return Status::failed(problem);
  for (const BinlogGroup& group : found.beyond)
    report(fmt::format("only here: GTID {} at {} to {}", to_string(group.gtid),
                       to_string(group.begin), to_string(group.end)));
  if (view_.diverging_groups > found.beyond.size())
    report(fmt::format("and {} more", view_.diverging_groups - found.beyond.size()));
  return Status::ok();
}

// The seal may be within a group. The server has executed nothing of that group.
Status Rejoiner::find_gtid(Compared& found) {
  const auto whole_groups = whole_groups_before(*found.place.files, sealed_at_);
  if (!whole_groups)
    return Status::failed(
        fmt::format("cannot read the event groups before {}", to_string(sealed_at_)));
  BL_ASSERT(*whole_groups <= sealed_at_);
  FixedFeedLimit limit;
  limit.set(*whole_groups);
  ArchiveGtids gtids(found.place, limit, [] { return false; });
  const auto executed = gtids.executed();
  if (!executed)
    return Status::failed(
        fmt::format("cannot find the GTID state at {}: {}", to_string(sealed_at_), gtids.error()));
  found.gtid = executed->text();
  report(fmt::format("it holds nothing after that; it has executed GTIDs {}",
                     shown_gtids(found.gtid)));
  return Status::ok();
}

// Proves that the engine has committed nothing of the tail. Each refusal is a way in which it may
// have. [S12]
Status Rejoiner::prove_uncommitted(const Successor& successor, const Compared& found) {
  if (found.server_up)
    return Status::failed("the server is running, so its recovery has committed the tail");
  if (stopped_.is_alive(state_.server_run))
    return Status::failed("the server's process still exists, although its socket does not answer");
  const RoleState& role = role_.state();
  const std::uint32_t first = stopped_.first_file_of_run(role.binlog_index, role.binlog_base);
  if (BL_MUTANT(committed_tail_cut, false, first != state_.run_start.file))
    return Status::failed(
        "the server was started since it was the source, so its recovery has committed the tail");
  if (BL_MUTANT(committed_waits_cut, false, state_.waits_committed))
    return Status::failed(
        "commits may have waited AFTER_COMMIT, so the engine may have committed the tail");
  for (const LedgerInterval& interval : ledger_.list()) {
    // An interval of a fence alone says only that nobody watched the server from then on.
    const bool by_fencing =
        interval.causes.size() == 1 && interval.causes[0].reason.starts_with(kFencedCause);
    const bool open =
        std::any_of(ledger_.open_intervals().begin(), ledger_.open_intervals().end(),
                    [&](const LedgerInterval& other) { return other.id == interval.id; });
    if (by_fencing || interval.epoch.term != state_.epoch.term) continue;
    // Positions of an earlier stream cannot be compared with the seal.
    if (!interval.stream.is_null() && interval.stream != state_.origin) continue;
    if (open || interval.to > successor.sealed_at)
      return Status::failed(
          fmt::format("the ledger's interval {} covers the tail: clients were told that it is "
                      "committed",
                      interval.id));
  }
  return Status::ok();
}

Status Rejoiner::cut(const Successor& successor, const Compared& found) {
  if (const Status proven = prove_uncommitted(successor, found); !proven.is_ok())
    return Status::failed(proven.text() + "; " + kRebuild);
  // The record comes first: after a power cut in the middle, nothing may start a server that would
  // commit the tail.
  RoleState role = role_.state();
  BL_ASSERT(!role.cut.under_way() && found.last >= successor.sealed_at.file);
  role.cut = {successor.sealed_at, found.last};
  if (const int error = role_.store(role); error != 0)
    return Status::failed(
        fmt::format("nothing was cut: cannot store the host's role: {}", errno_text(error)));
  return finish_cut();
}

Status Rejoiner::finish_cut() {
  RoleState role = role_.state();
  if (!role.cut.under_way()) return Status::ok();
  if (stopped_.is_alive(state_.server_run) || server_.answers().is_ok())
    return Status::failed(fmt::format(
        "the cut at {} is not finished, and the server is running, so its recovery may have "
        "committed the tail; stop it, and run binlane rejoin --cut again",
        to_string(role.cut.at)));
  const BinlogIndex index = stopped_.index(role.binlog_index, role.binlog_base);
  if (!index.error.empty()) return Status::failed(index.error);
  TailCut cut(stopped_.files(), role.binlog_index, index.directory + '/' + index.basename,
              role.cut);
  const std::string problem = cut.run([this](std::string line) { report(std::move(line)); });
  if (cut.server_was_started()) return Status::failed(problem + "; " + kRebuild);
  if (!problem.empty())
    return Status::failed(fmt::format(
        "the cut at {} is not finished: {}. Do not start the server before it is finished",
        to_string(role.cut.at), problem));
  role.cut = {};
  if (const int error = role_.store(role); error != 0)
    return Status::failed(
        fmt::format("the cut is done, but cannot store the host's role: {}", errno_text(error)));
  BL_ASSERT(!role_.state().cut.under_way());
  return Status::ok();
}

// From now on the server replicates from the feed of its own binlaned, and nothing else writes to
// it.
Status Rejoiner::follow(const std::string& gtid) {
  std::string statement;
  Status follows = server_.follow(feed_address(*config_.replica), gtid, statement);
  if (!statement.empty()) report(std::move(statement));
  return follows;
}

// The journal holds an older stream, if any. It gives that up, and will take the new one from its
// beginning.
Status Rejoiner::forget_journal() {
  Status status;
  const bool was_source = role_.state().role == HostRole::fenced;
  const bool called = replica_.call([&] {
    // A source held no other stream, so everything of a later term is new to this host.
    const std::uint32_t over = was_source ? state_.epoch.term : 0;
    if (const int error = replica_.store().forget_up_to(over); error != 0) {
      status = Status::failed(
          fmt::format("cannot store the journal's superblock: {}", errno_text(error)));
      return;
    }
    if (replica_.store().stream().is_null()) return;
    ReplicaLane& lane = replica_.lane();
    if (!lane.quiesce()) {
      status = Status::failed("the replica's lane did not stop within a second");
      return;
    }
    lane.end_session();
    const Position archived = replica_.parts()->archiver->status().durable;
    status = lane.journal().idle()
                 ? replica_.switch_stream({}, archived)
                 : Status::failed("the journal still has writes in flight; try again");
    lane.resume();
  });
  return called ? status : Status::failed("the replica's side of this binlaned has stopped");
}

}  // namespace binlane

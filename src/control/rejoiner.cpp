#include "control/rejoiner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "control/config_value.h"
#include "control/following.h"
#include "control/tail_cut.h"
#include "shim/archive_gtids.h"
#include "shim/binlog_index.h"
#include "shim/binlog_paths.h"
#include "shim/fixed_feed_limit.h"
#include "shim/server_facts.h"
#include "shim/server_run_files.h"
#include "shim/stream_scan.h"
#include "storage/archive_files.h"

namespace binlane {
namespace {

// Of the groups that nobody else has so many are named.
constexpr std::size_t kNamedGroups = 20;

// It waits behind commits that wait for a quorum, and gives up after this long: nothing may hang.
constexpr const char* kReadOnlySql = "SET STATEMENT lock_wait_timeout=1 FOR SET GLOBAL read_only=1";

constexpr const char* kRebuild =
    "rebuild this server: stop it, restore a copy of the new source's or of another replica's data "
    "(mariadb-backup keeps its gtid_slave_pos), start it read-only, and run binlane rejoin "
    "--rebuilt";

constexpr const char* kCutDone =
    "the tail is cut off: start the server, and run binlane rejoin again";

}  // namespace

void Rejoiner::report(std::string line) {
  log::info("rejoin", "{}", line);
  view_.report.push_back(std::move(line));
}

bool Rejoiner::run(const RejoinOptions& options) {
  view_ = {};
  seen_following_ = false;
  sealed_at_ = {};
  const auto refuse = [this](const std::string& why) {
    log::error("rejoin_refused", "{}", why);
    view_.refusal = why;
    return false;
  };
  std::string gtid;
  if (!options.rebuilt) {
    if (role_.state().cut.under_way()) {
      const std::string problem = finish_cut();
      return refuse(problem.empty() ? kCutDone : problem);
    }
    const auto successor = replica_.control().successor();
    if (!successor)
      return refuse(
          "no new source has spoken to this host yet: is it up, and is this host among "
          "its replicas?");
    Compared found;
    if (const std::string problem = compare(*successor, found); !problem.empty())
      return refuse(problem);
    if (!found.beyond.empty()) {
      if (!options.cut)
        return refuse(fmt::format(
            "this server holds {} event groups that nobody else has; {}; or, if it is stopped and "
            "was not started since it was the source, run binlane rejoin --cut",
            view_.diverging_groups, kRebuild));
      const std::string problem = cut(*successor, found);
      return refuse(problem.empty() ? kCutDone : problem);
    }
    if (!found.server_up)
      return refuse("nothing is in the way: start the server, and run binlane rejoin again");
    gtid = found.gtid;
  }
  // The journal first: the feed of an older stream would send the server away for good.
  if (const std::string problem = forget_journal(); !problem.empty()) return refuse(problem);
  if (const std::string problem = follow(gtid); !problem.empty()) return refuse(problem);
  RoleState role = role_.state();
  role.role = HostRole::standby;
  role.fenced_by = 0;
  role.fence_reason.clear();
  role.promotion = {};
  role.cut = {};
  role.rejoining = true;
  if (const int error = role_.store(role); error != 0)
    return refuse(fmt::format("the host's role cannot be stored: {}", errno_text(error)));
  report("this host is a standby now, and holds the new source's stream");
  return true;
}

// What was asked of the server is not what it does: only its own word ends a rejoin (S22).
std::string Rejoiner::look_at_server() {
  if (!role_.state().rejoining) return {};
  if (!sql_.is_connected()) {
    if (const SqlError error = sql_.connect(); !error.ok())
      return fmt::format("the server cannot be asked: {}", to_string(error));
  }
  const std::string problem =
      following_problem(sql_.query("SHOW SLAVE STATUS"), config_.replica->feed_listen.udp_port);
  // An IO thread that asks for what the feed does not have is connected, and ends a moment later.
  const bool seen_before = std::exchange(seen_following_, problem.empty());
  if (!problem.empty()) return problem;
  if (!seen_before) return "the server's IO thread to stay connected to this host's feed";
  RoleState role = role_.state();
  role.rejoining = false;
  if (const int error = role_.store(role); error != 0)
    return fmt::format("the host's role cannot be stored: {}", errno_text(error));
  report("its server is connected to this host's feed, and follows it");
  view_.done = true;
  return {};
}

std::string Rejoiner::compare(const Successor& successor, Compared& found) {
  report(fmt::format("the source is {} (term {}); it sealed the stream {} term {} at {}",
                     successor.name, successor.candidate.term, to_string(successor.sealed_origin),
                     successor.sealed_term, to_string(successor.sealed_at)));
  if (successor.sealed_origin != state_.origin || successor.sealed_term != state_.epoch.term)
    return fmt::format(
        "that is not the stream {} term {} which this host was the source of: more "
        "than one promotion went by; {}",
        to_string(state_.origin), state_.epoch.term, kRebuild);
  // What stands open may lead to a server that has ended.
  found.server_up = (sql_.is_connected() && sql_.query("SELECT 1").ok()) || sql_.connect().ok();
  if (found.server_up) {
    if (const std::string problem = stop_writes(); !problem.empty()) return problem;
  }
  const RoleState& role = role_.state();
  const BinlogIndex index = read_binlog_index(role.binlog_index, role.binlog_base);
  if (!index.error.empty()) return index.error;
  found.place = {index.directory, index.basename};
  found.last = index.last;
  const Position seal = successor.sealed_at;
  if (index.first > seal.file)
    return fmt::format("binlog {} was purged, in which the stream was sealed; {}", seal.file,
                       kRebuild);
  const auto digest = seal.file > index.last
                          ? ArchiveDigest{}
                          : digest_archive(index.directory, index.basename, seal, UINT64_MAX);
  if (digest.length == 0 || digest.digest != successor.sealed_digest)
    return fmt::format(
        "this server's binlog is not the same as the sealed stream up to {}: it lost "
        "what it had not synced, or went on differently; {}",
        to_string(seal), kRebuild);
  report(fmt::format("this server's binlog is the same up to {}", to_string(seal)));
  const std::string problem = read_groups(found.place, seal, found.last, [&](const auto& group) {
    ++view_.diverging_groups;
    if (found.beyond.size() < kNamedGroups) found.beyond.push_back(group);
    return true;
  });
  if (!problem.empty()) return problem;
  for (const BinlogGroup& group : found.beyond)
    report(fmt::format("only here: GTID {} at {} to {}", to_string(group.gtid),
                       to_string(group.begin), to_string(group.end)));
  if (view_.diverging_groups > found.beyond.size())
    report(fmt::format("and {} more", view_.diverging_groups - found.beyond.size()));
  sealed_at_ = seal;
  if (!found.beyond.empty()) return {};
  // The seal may lie within a group, of which the server has executed nothing.
  const PosixBinlogFiles files(found.place.directory, found.place.basename);
  const auto whole_groups = whole_groups_before(files, seal);
  if (!whole_groups)
    return fmt::format("the event groups before {} cannot be read", to_string(seal));
  FixedFeedLimit limit;
  limit.set(*whole_groups);
  ArchiveGtids gtids(found.place, limit, [] { return false; });
  const auto history = gtids.history();
  if (!history) return fmt::format("the GTID state at {}: {}", to_string(seal), gtids.error());
  found.gtid = history->position().text();
  report(fmt::format("it holds nothing behind that; it stands at GTID {}", found.gtid));
  return {};
}

// A commit that waits still may be let go, and one behind it be written, after the binlog was
// compared. read_only comes into force only behind all of them.
std::string Rejoiner::stop_writes() {
  const QueryResult set = sql_.query(kReadOnlySql);
  if (set.ok()) return {};
  return fmt::format(
      "the server takes writes still ({}): commits that wait for a quorum end at its own timeout; "
      "run binlane rejoin again then",
      to_string(set.error));
}

// S12: whether the engine has committed nothing of the tail. Each line is a way in which it could
// have.
std::string Rejoiner::prove_uncommitted(const Successor& successor, const Compared& found) {
  if (found.server_up) return "the server is running: its recovery has committed the tail";
  const auto run = parse_server_run(state_.server_run);
  if (run && run->boot_id == this_boot_id() && is_alive(run->process))
    return "the server's process is there still, only its socket does not answer";
  const RoleState& role = role_.state();
  const ServerRunFiles files = find_server_run_files(role.binlog_index, role.binlog_base);
  if (files.first != state_.run_start.file)
    return "the server was started since it was last observed as the source: its recovery has "
           "committed the tail";
  for (const LedgerInterval& interval : ledger_.list()) {
    // The one that fencing opened says only that nobody looked from then on.
    const bool by_fencing =
        interval.causes.size() == 1 && interval.causes[0].reason.starts_with(kFencedCause);
    const bool open =
        std::any_of(ledger_.open_intervals().begin(), ledger_.open_intervals().end(),
                    [&](const LedgerInterval& other) { return other.id == interval.id; });
    if (by_fencing || interval.epoch.term != state_.epoch.term) continue;
    // Of a stream before this one: its positions are not the seal's.
    if (!interval.stream.is_null() && interval.stream != state_.origin) continue;
    if (open || interval.to > successor.sealed_at)
      return fmt::format(
          "the ledger's interval {} covers the tail: clients were told that it was "
          "committed",
          interval.id);
  }
  return {};
}

std::string Rejoiner::cut(const Successor& successor, const Compared& found) {
  if (const std::string why = prove_uncommitted(successor, found); !why.empty())
    return why + "; " + kRebuild;
  // On record first: a power cut in the middle must not leave a server that would commit the tail.
  RoleState role = role_.state();
  role.cut = {successor.sealed_at, found.last};
  if (const int error = role_.store(role); error != 0)
    return fmt::format("nothing was cut: the host's role cannot be stored: {}", errno_text(error));
  return finish_cut();
}

std::string Rejoiner::finish_cut() {
  RoleState role = role_.state();
  if (!role.cut.under_way()) return {};
  const auto run = parse_server_run(state_.server_run);
  const bool alive = run && run->boot_id == this_boot_id() && is_alive(run->process);
  if (alive || sql_.connect().ok())
    return fmt::format(
        "the cut at {} is not finished, and the server is running: its recovery may "
        "have committed the tail; stop it, and run binlane rejoin --cut again",
        to_string(role.cut.at));
  const BinlogIndex index = read_binlog_index(role.binlog_index, role.binlog_base);
  if (!index.error.empty()) return index.error;
  TailCut cut(CutFiles::system(), role.binlog_index, index.directory + '/' + index.basename,
              role.cut);
  const std::string problem = cut.run([this](std::string line) { report(std::move(line)); });
  if (cut.server_was_started()) return problem + "; " + kRebuild;
  if (!problem.empty())
    return fmt::format("the cut at {} is not finished: {}; do not start the server before it is",
                       to_string(role.cut.at), problem);
  role.cut = {};
  if (const int error = role_.store(role); error != 0)
    return fmt::format("the cut is done, and the host's role cannot be stored: {}",
                       errno_text(error));
  return {};
}

// The server follows its own binlaned from now on, and only that writes to it.
std::string Rejoiner::follow(const std::string& gtid) {
  if (!sql_.is_connected()) {
    const SqlError error = sql_.connect();
    if (!error.ok())
      return fmt::format("cannot connect to the server at {}: {}", config_.source->server_socket,
                         to_string(error));
  }
  const ReplicaConfig& replica = *config_.replica;
  std::vector<std::string> statements = {
      "SET GLOBAL read_only=1", "SET GLOBAL rpl_semi_sync_master_enabled=OFF", "STOP SLAVE"};
  if (!gtid.empty()) statements.push_back("SET GLOBAL gtid_slave_pos=" + quote_sql(gtid));
  const std::string change = fmt::format(
      "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER={}, "
      "MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos",
      replica.feed_listen.udp_port, quote_sql(replica.feed_user));
  report(change + ", MASTER_PASSWORD='…'");
  statements.push_back(change + ", MASTER_PASSWORD=" + quote_sql(replica.feed_password.reveal()));
  statements.emplace_back("START SLAVE");
  for (const std::string& statement : statements) {
    const QueryResult result = sql_.query(statement);
    if (!result.ok())
      return fmt::format("the server refuses {}: {}",
                         statement.substr(0, statement.find(", MASTER_PASSWORD")),
                         to_string(result.error));
  }
  return {};
}

// What the journal holds is an older stream; it takes the new one from its beginning.
std::string Rejoiner::forget_journal() {
  std::string problem;
  const bool was_source = role_.state().role == HostRole::fenced;
  const bool called = replica_.control().call([&] {
    // A source holds nobody's stream: whatever comes now is new to this host.
    const std::uint32_t over = was_source ? state_.epoch.term : 0;
    if (const int error = replica_.file().forget_up_to(over); error != 0) {
      problem = fmt::format("the superblock cannot be stored: {}", errno_text(error));
      return;
    }
    if (replica_.file().stream().is_null()) return;
    ReplicaLane& lane = replica_.lane();
    if (!lane.stand_still()) {
      problem = "the replica's lane does not stand still";
      return;
    }
    lane.end_session();
    const Position archived = replica_.parts()->archiver->status().durable;
    problem = lane.journal().idle() ? replica_.switch_stream({}, archived)
                                    : std::string("the journal's writes have not ended: try again");
    lane.go_on();
  });
  return called ? problem : "the replica's side of this host has ended";
}

}  // namespace binlane

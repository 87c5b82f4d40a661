// Tests of the one list of problems: a healthy host has none, and each fault is found from what the
// threads show.
#include "control/status/problem_finder.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace binlane {
namespace {

// A source with two replicas and a replica's side, all well. Tests change what they are about.
struct Host {
  Host() {
    config.replicas.resize(2);
    config.replicas[0].name = "r1";
    config.replicas[1].name = "r2";
    config.quorum = any_of_two();
    source.phase = SourcePhase::running;
    source.state = FallbackState::semisync;
    source.drain.state = DrainState::draining;
    source.replicas.resize(2);
    for (std::size_t i = 0; i < 2; ++i) source.marks.replicas[i].connected = true;
    replica.control.marks.connected = true;
    replica.feed.listening = "127.0.0.1:3401";
  }

  static QuorumRule any_of_two() {
    QuorumRule rule;
    rule.clause_count = 1;
    rule.clauses[0].count = 1;
    rule.clauses[0].members = 3;
    return rule;
  }

  std::vector<Problem> find(bool with_source, bool with_replica) const {
    HostSight sight;
    if (with_source) {
      sight.source_config = &config;
      sight.source = &source;
    }
    if (with_replica) sight.replica = &replica;
    sight.ports = ports;
    sight.stuck = stuck;
    sight.audit_failure = audit;
    return find_problems(sight);
  }

  SourceConfig config;
  SourceView source;
  ReplicaSight replica;
  std::vector<PortSight> ports{{"udp", true, ""}};
  std::vector<StuckThread> stuck;
  std::string audit;
};

// What makes each problem. A new one without a case here fails EveryProblemIsFound.
struct Case {
  ProblemCode code;
  bool with_source;
  bool with_replica;
  std::function<void(Host&)> spoil;
  const char* word;  // that its sentence must have
};

const std::vector<Case>& cases() {
  using Code = ProblemCode;
  using Phase = SourcePhase;
  static const std::vector<Case> kCases = {
      {Code::looking, true, false,
       [](Host& h) {
         h.source.phase = Phase::looking;
         h.source.problem = "2002: no socket";
       },
       "2002: no socket"},
      {Code::refused, true, false,
       [](Host& h) {
         h.source.phase = Phase::refused;
         h.source.problem = "log_bin is OFF";
       },
       "log_bin is OFF"},
      {Code::fenced, true, true,
       [](Host& h) {
         h.source.phase = Phase::fenced;
         h.source.role.fence_reason = "term 4 has begun elsewhere";
       },
       "term 4"},
      {Code::promoting, true, true, [](Host& h) { h.source.phase = Phase::promoting; }, "promoted"},
      {Code::other_acker, true, false, [](Host& h) { h.source.other_ackers = 1; },
       "besides Binlane"},
      {Code::binlog_numbers, true, false,
       [](Host& h) {
         h.source.newest_binlog = 990'000;
         h.source.numbers_near_end = true;
       },
       "990000"},
      {Code::binlog_headless, true, false,
       [](Host& h) {
         h.source.headless_binlog = "binlog.000012";
         h.source.headless_ns = 1'500'000'000;
       },
       "binlog.000012 1.5 s ago"},
      {Code::not_semisync, true, false,
       [](Host& h) {
         h.source.state = FallbackState::async;
         h.source.last_transition.at_ns = 1;
         h.source.last_transition.reason = FallbackReason::timeout;
       },
       "ASYNC: no quorum within the timeout"},
      {Code::blocked, true, false, [](Host& h) { h.source.blocked = true; }, "not released"},
      {Code::quorum_lost, true, false,
       [](Host& h) {
         for (auto& marks : h.source.marks.replicas) marks.connected = false;
       },
       "cannot satisfy"},
      {Code::replica_away, true, false,
       [](Host& h) {
         h.source.marks.replicas[1].connected = false;
         h.source.replicas[1].refusal = "its log does not match";
       },
       "r2 is away: its log does not match"},
      {Code::replica_damaged, true, false,
       [](Host& h) { h.source.marks.replicas[0].state = wire::kStateDamaged; }, "r1"},
      {Code::ledger_open, true, false, [](Host& h) { h.source.ledger.open = 1; },
       "1 interval of the ledger is open: their commits may have been"},
      {Code::ledger_open, true, false, [](Host& h) { h.source.ledger.open = 2; },
       "2 intervals of the ledger are open"},
      {Code::ledger_unacknowledged, true, false,
       [](Host& h) { h.source.ledger.unacknowledged = 3; }, "3 intervals"},
      {Code::server_down, true, false,
       [](Host& h) {
         h.source.server_down = true;
         h.source.poll_problem = "2002: no socket";
       },
       "2002: no socket; nothing can be committed here. Start it"},
      // Its recovery would commit what a rejoin can still take back.
      {Code::server_down, true, true,
       [](Host& h) {
         h.source.phase = Phase::fenced;
         h.source.server_down = true;
         h.source.poll_problem = "2002: no socket";
       },
       "do not start it before binlane rejoin"},
      {Code::poll_failing, true, false, [](Host& h) { h.source.poll_problem = "1142: denied"; },
       "1142: denied"},
      {Code::login_failing, true, true, [](Host& h) { h.source.login_problem = "4151: locked"; },
       "4151: locked"},
      {Code::dump_away, true, false,
       [](Host& h) {
         h.source.drain.state = DrainState::backing_off;
         h.source.drain.reason = "1045: Access denied";
       },
       "1045: Access denied"},
      {Code::server_setting, true, false,
       [](Host& h) { h.source.server_differences = {"rpl_semi_sync_master_timeout is 5"}; },
       "timeout is 5"},
      {Code::read_only_refused, true, false,
       [](Host& h) { h.source.read_only_problem = "1227: no privilege"; }, "1227"},
      {Code::source_trouble, true, false,
       [](Host& h) { h.source.problem = "cannot lift read_only"; }, "cannot lift"},
      {Code::rejoining, true, true,
       [](Host& h) {
         h.source.phase = Phase::standby;
         h.source.role.rejoining = true;
         h.source.rejoin.waiting_for = "Slave_IO_Running is Connecting";
       },
       "Connecting"},
      {Code::writes_stopped, true, false,
       [](Host& h) { h.source.write_problem = "this host stood still"; }, "stood still"},
      {Code::standby_trouble, true, true,
       [](Host& h) {
         h.source.phase = Phase::standby;
         h.source.problem = "cannot switch semi-sync OFF";
       },
       "cannot switch"},
      {Code::not_following, true, true,
       [](Host& h) {
         h.source.phase = Phase::standby;
         h.source.replication_problem = "Slave_SQL_Running is No: Error 'Duplicate entry'";
       },
       "Slave_SQL_Running is No"},
      {Code::cannot_take_over, true, true,
       [](Host& h) {
         h.source.phase = Phase::standby;
         h.source.unfit = "its server has written transactions of its own";
       },
       "would be refused: its server has written"},
      {Code::diverged, false, true,
       [](Host& h) { h.replica.control.exposures.divergence.emplace(); }, "rebuild"},
      {Code::source_away, false, true,
       [](Host& h) {
         h.replica.control.marks.connected = false;
         h.replica.control.refusal = "the source refuses";
       },
       "the source refuses"},
      {Code::source_away, false, true,
       [](Host& h) {
         h.replica.control.away = true;
         h.replica.control.silent_ns = 12'300'000'000;
       },
       "for 12.3 s"},
      {Code::journal_damaged, false, true,
       [](Host& h) {
         h.replica.control.damaged_until.position = {3, 400};
       },
       "3:400"},
      {Code::archive_full, false, true, [](Host& h) { h.replica.archive.waits_for_room = true; },
       "full"},
      {Code::archive_disk_nearly_full, false, true,
       [](Host& h) {
         h.replica.retention.nearly_full = true;
         h.replica.retention.free_bytes = 5 << 20;
       },
       "5 MiB"},
      {Code::archive_over_limit, false, true,
       [](Host& h) {
         h.replica.retention.over_limit = true;
         h.replica.retention.kept = RetentionReason::executed_unknown;
       },
       "server_socket"},
      {Code::archive_file_not_deleted, false, true,
       [](Host& h) { h.replica.retention.failure = "binlog.000001: EROFS"; }, "EROFS"},
      {Code::feed_closed, false, true,
       [](Host& h) {
         h.replica.feed.listening.clear();
         h.replica.feed.problem = "eventfd: Too many open files";
       },
       "eventfd: Too many open files"},
      {Code::hears_anybody, false, true,
       [](Host& h) { h.replica.sources.from = SourcesFrom::anybody; }, "replica.sources"},
      {Code::feed_gap, false, true,
       [](Host& h) { h.replica.feed.gap = "binlog.000002 does not go on"; }, "does not go on"},
      {Code::journal_failed, true, true, [](Host& h) { h.replica.control.marks.failure = EIO; },
       "errno 5"},
      {Code::archive_failed, false, true,
       [](Host& h) { h.replica.archive.failure = "cannot write"; }, "cannot write"},
      {Code::ledger_failed, true, false,
       [](Host& h) { h.source.ledger_failure = "the ledger failed"; }, "the ledger failed"},
      {Code::role_failed, true, true, [](Host& h) { h.source.role_failure = "role: EIO"; }, "EIO"},
      {Code::state_failed, true, false, [](Host& h) { h.source.state_failure = "state: EIO"; },
       "EIO"},
      {Code::exposures_failed, false, true,
       [](Host& h) { h.replica.control.exposure_failure = "exposures: EIO"; }, "EIO"},
      {Code::audit_failed, true, false, [](Host& h) { h.audit = "audit: EIO"; }, "EIO"},
      {Code::thread_stuck, true, false,
       [](Host& h) {
         h.stuck = {{"source control", 31'000}};
       },
       "source control"},
      {Code::port_away, false, true,
       [](Host& h) {
         h.ports = {{"vhost:/run/x", false, "no peer"}};
       },
       "no peer"},
  };
  return kCases;
}

TEST(ProblemFinder, AHealthyHostHasNone) {
  Host host;
  EXPECT_TRUE(host.find(true, false).empty());
  EXPECT_TRUE(host.find(false, true).empty());
  EXPECT_TRUE(host.find(true, true).empty());
  host.source.phase = SourcePhase::standby;
  EXPECT_TRUE(host.find(true, true).empty());
}

TEST(ProblemFinder, EveryProblemIsFound) {
  std::set<ProblemCode> found;
  for (const Case& each : cases()) {
    Host host;
    each.spoil(host);
    bool there = false;
    for (const Problem& problem : host.find(each.with_source, each.with_replica)) {
      if (problem.code != each.code) continue;
      there = true;
      EXPECT_NE(problem.text.find(each.word), std::string::npos) << problem.text;
      EXPECT_EQ(problem.severity, kind_of(each.code).severity);
    }
    EXPECT_TRUE(there) << kind_of(each.code).name;
    found.insert(each.code);
  }
  for (const ProblemKind& kind : problem_kinds())
    EXPECT_TRUE(found.contains(kind.code)) << "no case makes " << kind.name;
}

TEST(ProblemFinder, FaultsComeFirst) {
  Host host;
  host.source.ledger.unacknowledged = 1;  // a warning
  host.source.poll_problem = "gone";
  const auto problems = host.find(true, false);
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].code, ProblemCode::poll_failing);
}

// That its status cannot be read and that no acknowledgement reaches it follow from that.
TEST(ProblemFinder, AServerThatIsDownIsOneProblem) {
  Host host;
  host.source.server_down = true;
  host.source.poll_problem = "2002: no socket";
  host.source.drain.state = DrainState::backing_off;
  const auto problems = host.find(true, false);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].code, ProblemCode::server_down);
}

// A standby's [source] section does not run: it is normal that it has no quorum and no dump
// connection. The same holds for a source's [replica] section.
TEST(ProblemFinder, TheSideThatIsNotAtWorkIsAskedForItsFilesOnly) {
  Host host;
  host.source = {};
  host.source.phase = SourcePhase::standby;
  host.source.drain.reason = "it is not known yet where the stream begins at the server";
  EXPECT_TRUE(host.find(true, true).empty());
  Host other;
  other.replica = {};
  other.replica.control.refusal = "this host is a source itself";
  EXPECT_TRUE(other.find(true, true).empty());
  other.replica.archive.failure = "EIO";
  EXPECT_EQ(other.find(true, true).size(), 1U);
}

TEST(ProblemFinder, EveryProblemIsDocumented) {
  std::ifstream file(BINLANE_OPERATIONS);
  std::stringstream text;
  text << file.rdbuf();
  const auto begin = text.str().find("## Problems\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string section = text.str().substr(begin, text.str().find("\n## ", begin) - begin);
  for (const ProblemKind& kind : problem_kinds())
    EXPECT_NE(section.find('`' + std::string(kind.name) + '`'), std::string::npos) << kind.name;
}

TEST(ProblemFinder, NamesAreDistinct) {
  std::set<std::string> names;
  for (const ProblemKind& kind : problem_kinds()) EXPECT_TRUE(names.insert(kind.name).second);
}

}  // namespace
}  // namespace binlane

// Every text view and every row of metrics, rendered from a whole answer as the daemon makes it. A
// member that a view looks up and no daemon gives, or of another type, fails here (json_view.h).
#include <gtest/gtest.h>

#include <memory>

#include "control/admin/json_view.h"
#include "control/cli/fallback_verbs.h"
#include "control/cli/mysql_table.h"
#include "control/cli/stage_verbs.h"
#include "control/cli/status_verbs.h"
#include "control/cli/status_view.h"
#include "control/cli/top.h"
#include "control/daemon/daemon_status.h"
#include "control/daemon/handlers_ledger.h"
#include "control/status/metrics.h"
#include "control/status/stage_report.h"
#include "control/status/status_summary.h"

namespace binlane {
namespace {

using nlohmann::json;

constexpr Position kHere{17, 4096};

// A host of both sections on which everything that can be known is known.
class ViewsTest : public ::testing::Test {
 protected:
  ViewsTest() {
    config_.replicas.resize(2);
    for (std::size_t i = 0; i < 2; ++i) {
      config_.replicas[i].name = "r" + std::to_string(i + 1);
      config_.replicas[i].zone = "here";
    }
    config_.quorum.clause_count = 1;
    config_.quorum.clauses[0].count = 1;
    config_.quorum.clauses[0].members = 3;
    make_source();
    make_replica();
    make_stages();
  }

  void make_source() {
    source_.phase = SourcePhase::running;
    source_.state = FallbackState::semisync;
    source_.state_since_ns = 1;
    source_.basename = "binlog";
    source_.epoch = {1, 3};
    source_.server_version = "10.11.19-MariaDB";
    source_.last_transition.at_ns = 1;
    source_.last_transition.quorum = kHere;
    source_.transitions = std::make_shared<const std::vector<LoggedTransition>>(
        1, LoggedTransition{source_.last_transition, "2026-01-01T00:00:00Z"});
    source_.server.shown = {{"Rpl_semi_sync_master_status", "ON"}};
    source_.drain.state = DrainState::draining;
    source_.ledger.entries = source_.ledger.unacknowledged = 1;
    source_.queues = {{"source_commands", 2}, {"source_events", 3}};
    source_.replicas.resize(2);
    SourceMarks& marks = source_.marks;
    marks.written_at = marks.synced_at = marks.quorum_at = marks.released_at = kHere;
    for (std::size_t i = 0; i < 2; ++i) {
      source_.replicas[i].name = config_.replicas[i].name;
      marks.replicas[i].connected = true;
      marks.replicas[i].received_at = marks.replicas[i].durable_at = kHere;
      marks.replicas[i].applied_at = kHere;
      marks.replicas[i].rtt_ns = 80'000;
    }
    interval_.id = 1;
    interval_.from = interval_.to.emplace(kHere);
    interval_.causes.resize(1);
    interval_.causes[0].at = "2026-01-01T00:00:00Z";
    interval_.causes[0].reason = "no quorum within the timeout";
  }

  void make_replica() {
    replica_.control.source_name = "s";
    ReplicaLaneMarks& marks = replica_.control.marks;
    marks.connected = true;
    marks.received = marks.durable = marks.released = kHere;
    replica_.control.queues = {{"archive_released", 4}};
    replica_.archive.end = replica_.archive.durable = kHere;
    replica_.feed.listening = "127.0.0.1:3401";
    replica_.feed.clients.resize(1);
  }

  void make_stages() {
    stages_.on_written(100, kHere, 500, 1'000);
    for (std::size_t i = 0; i < 2; ++i) {
      stages_.on_sent(i, 100, 2'000);
      stages_.on_received(i, 100, 3'000);
      stages_.on_durable(i, 100, 100, 200, 4'000);
    }
    stages_.on_quorum(100, 5'000);
    stages_.on_released(100, 6'000);
  }

  // As it is read from the socket.
  json status() const {
    StatusSight sight;
    sight.name = "s";
    sight.cluster = "demo";
    sight.host.source_config = &config_;
    sight.host.source = &source_;
    sight.host.replica = &replica_;
    sight.ports.resize(1);
    sight.ports[0] = {"udp", "source", "10.0.0.1:7100", true, "", {}, {}};
    return json::parse(status_json(sight).dump());
  }

  static void expect_none(const LookupWatch& watch) {
    for (const std::string& miss : watch.misses()) ADD_FAILURE() << miss;
  }

  SourceConfig config_;
  SourceView source_;
  ReplicaSight replica_;
  CommitTracer stages_;
  LedgerInterval interval_;
};

TEST_F(ViewsTest, StatusOfEveryRole) {
  for (const auto phase :
       {SourcePhase::running, SourcePhase::standby, SourcePhase::fenced, SourcePhase::refused}) {
    source_.phase = phase;
    const json whole = status();
    const LookupWatch watch;
    EXPECT_FALSE(status_text(whole).empty());
    EXPECT_FALSE(status_summary(whole).empty());
    status_faults(whole);
    expect_none(watch);
  }
}

TEST_F(ViewsTest, TablesOfASource) {
  const json whole = status();
  const json ledger = json::parse(ledger_json({interval_}, source_).dump());
  const json histograms = json::parse(stage_histograms(stages_, config_.replica_names()).dump());
  const json trace = json::parse(stage_traces(stages_, 10).dump());
  const LookupWatch watch;
  EXPECT_FALSE(cli::replicas_table(whole["source"]["replicas"]).empty());
  EXPECT_FALSE(cli::mysql_status_rows(whole, cli::NameGeneration::both).empty());
  EXPECT_FALSE(cli::mysql_variable_rows(whole, cli::NameGeneration::both).empty());
  const cli::TopSample sample = cli::top_sample(whole);
  EXPECT_FALSE(cli::top_screen(whole, sample, cli::top_sample(whole)).empty());
  EXPECT_FALSE(cli::ledger_table(ledger).empty());
  EXPECT_NE(cli::stage_table(histograms["stages"]).find("fed"), std::string::npos);
  EXPECT_NE(cli::trace_table(trace).find("FED"), std::string::npos);
  expect_none(watch);
}

TEST_F(ViewsTest, EveryRowOfMetricsHasItsValue) {
  for (const auto phase : {SourcePhase::running, SourcePhase::standby}) {
    source_.phase = phase;
    json whole = status();
    whole["stages"] = stage_histograms(stages_, config_.replica_names())["stages"];
    const LookupWatch watch;
    EXPECT_FALSE(metrics_of(whole).empty());
    expect_none(watch);
  }
}

TEST_F(ViewsTest, FullQueuesAreShown) {
  const json whole = status();
  EXPECT_EQ(whole["source"]["counters"]["events_lost"], 3);
  const std::string text = metrics_text(whole);
  for (const char* line : {"binlane_queue_full_total{queue=\"source_commands\"} 2\n",
                           "binlane_queue_full_total{queue=\"archive_released\"} 4\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
}

// A lookup in vain is seen: the flag that was asked of a text said "not listening" for ever.
TEST_F(ViewsTest, TheWatchSeesWhatIsMissingAndWhatIsOfAnotherType) {
  json whole = status();
  whole["replica"]["feed"]["listening"] = true;
  whole["source"].erase("dump");
  source_.phase = SourcePhase::standby;
  const LookupWatch watch;
  EXPECT_TRUE(flag_of(whole["replica"]["feed"], "listening"));
  EXPECT_EQ(text_of(whole["replica"]["feed"], "listening"), "");
  member(whole["source"], "dump");
  EXPECT_EQ(watch.misses(), (std::vector<std::string>{"listening: a text", "dump: missing"}));
}

TEST_F(ViewsTest, TheFeedsAddressIsShown) {
  source_.phase = SourcePhase::standby;
  const std::string text = status_text(status());
  EXPECT_NE(text.find("listening at 127.0.0.1:3401, 1 clients"), std::string::npos) << text;
}

// A healthy standby does not look broken, and a source does not either.
TEST_F(ViewsTest, TheSectionThatIsNotAtWorkIsOneLine) {
  source_.phase = SourcePhase::standby;
  source_.drain.reason = "it is not known yet where the stream begins at the server";
  std::string text = status_text(status());
  for (const char* word : {"not known yet", "away", "epoch 0.0", "semi-sync OFF"})
    EXPECT_EQ(text.find(word), std::string::npos) << word << "\n" << text;
  EXPECT_NE(text.find("standby: another host is the source"), std::string::npos);
  EXPECT_EQ(metrics_text(status()).find("binlane_quorum_margin"), std::string::npos)
      << "an alert would fire for every standby";
  EXPECT_EQ(metrics_text(status()).find("binlane_replica_connected"), std::string::npos);
  source_.phase = SourcePhase::running;
  replica_.control.marks.connected = false;
  text = status_text(status());
  EXPECT_NE(text.find("replica        inactive"), std::string::npos) << text;
  EXPECT_EQ(text.find("away"), std::string::npos) << text;
}

TEST_F(ViewsTest, AStandbyNamesTheSourceToAsk) {
  EXPECT_EQ(standby_text(status()), "");
  source_.phase = SourcePhase::standby;
  EXPECT_EQ(standby_text(status()), "this host is a standby: ask the source (s)");
  replica_.control.source_name.clear();
  EXPECT_EQ(standby_text(status()), "this host is a standby: ask the source");
}

TEST_F(ViewsTest, OneLineForSystemctl) {
  EXPECT_EQ(status_summary(status()), "SOURCE SEMISYNC, 2 of 2 replicas, epoch 1.3");
  source_.state = FallbackState::async;
  EXPECT_EQ(status_summary(status()).rfind("SOURCE ASYNC, 2 of 2 replicas, epoch 1.3; commits", 0),
            0U);
  source_.phase = SourcePhase::standby;
  EXPECT_EQ(status_summary(status()), "REPLICA FOLLOWING, source s, epoch 0.0");
}

TEST_F(ViewsTest, LinesAreCutAtTheTerminalsWidth) {
  EXPECT_EQ(cut_lines("abcdef\nab\n", 4), "abcd\nab\n");
  EXPECT_EQ(cut_lines("abcdef\n", 0), "abcdef\n");
  EXPECT_EQ(cut_lines("\xc2\xb5s longer\n", 2), "\xc2\xb5s\n");
}

}  // namespace
}  // namespace binlane

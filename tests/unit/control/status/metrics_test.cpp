// Tests of the metrics: names, values and aliases, from a status as the daemon gives it.
#include "control/status/metrics.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

using nlohmann::json;

json status() {
  return {{"name", "s"},
          {"cluster", "prod"},
          {"source",
           {{"state", "ASYNC"},
            {"quorum_margin", -1},
            {"quorum_connected", false},
            {"timeout_ms", 1500},
            {"ledger", {{"entries", 3}, {"open", 1}, {"unacknowledged", 2}}},
            {"counters", {{"degrades", 4}}},
            {"server",
             {{"status_on", false},
              {"enabled", false},
              {"status_values",
               {{"Rpl_semi_sync_master_status", "OFF"},
                {"Rpl_semi_sync_master_yes_tx", "17"},
                {"Rpl_semi_sync_slave_status", "OFF"}}}}},
            {"replicas",
             {{{"name", "r\"1"}, {"connected", true}, {"rtt_us", 250.0}},
              {{"name", "r2"}, {"connected", false}}}}}}};
}

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << " is not in\n" << text;
}

TEST(Metrics, SourceValuesInBaseUnits) {
  const std::string text = metrics_text(status());
  expect_line(text, "binlane_info{name=\"s\",cluster=\"prod\"} 1");
  expect_line(text, "binlane_state{state=\"ASYNC\"} 1");
  expect_line(text, "binlane_state{state=\"SEMISYNC\"} 0");
  expect_line(text, "binlane_quorum_margin -1");
  expect_line(text, "binlane_timeout_seconds 1.5");
  expect_line(text, "binlane_degrades_total 4");
  expect_line(text, "binlane_ledger_unacknowledged_intervals 2");
  expect_line(text, "binlane_replica_connected{replica=\"r\\\"1\"} 1");
  expect_line(text, "binlane_replica_connected{replica=\"r2\"} 0");
  EXPECT_EQ(text.find("binlane_replica_round_trip_seconds{replica=\"r2\"}"), std::string::npos)
      << "a value that is not there is no sample";
}

TEST(Metrics, BothGenerationsOfMySqlsNames) {
  const std::string text = metrics_text(status());
  expect_line(text, "mysql_global_status_rpl_semi_sync_master_status 0");
  expect_line(text, "mysql_global_status_rpl_semi_sync_source_status 0");
  expect_line(text, "mysql_global_status_rpl_semi_sync_source_yes_tx 17");
  expect_line(text, "mysql_global_status_rpl_semi_sync_replica_status 0");
}

TEST(Metrics, AServerThatSaysSomethingElseShows) {
  json now = status();
  expect_line(metrics_text(now), "binlane_server_disagrees 0");
  now["source"]["state"] = "SEMISYNC";
  expect_line(metrics_text(now), "binlane_server_disagrees 1");
  now["source"]["server"]["status_on"] = now["source"]["server"]["enabled"] = true;
  expect_line(metrics_text(now), "binlane_server_disagrees 0");
}

TEST(Metrics, StagesAreHistograms) {
  json now = status();
  now["stages"] = {{{"stage", "quorum"},
                    {"replica", ""},
                    {"count", 4},
                    {"sum_ns", 2'000'000},
                    {"buckets", {{90'000, 1}, {400'000, 2}, {1'500'000, 1}}}}};
  const std::string text = metrics_text(now);
  const std::string name = "binlane_stage_seconds_bucket{stage=\"quorum\",replica=\"\",le=";
  expect_line(text, name + "\"5e-05\"} 0");
  expect_line(text, name + "\"0.0001\"} 1");
  expect_line(text, name + "\"0.0005\"} 3");
  expect_line(text, name + "\"0.002\"} 4");
  expect_line(text, name + "\"+Inf\"} 4");
  expect_line(text, "binlane_stage_seconds_count{stage=\"quorum\",replica=\"\"} 4");
  expect_line(text, "binlane_stage_seconds_sum{stage=\"quorum\",replica=\"\"} 0.002");
}

TEST(Metrics, EveryProblemIsASampleAndSoIsEveryFile) {
  json now = status();
  now["problems"] = {{{"code", "journal_failed"}, {"severity", "fault"}, {"text", "EIO"}},
                     {{"code", "replica_away"}, {"severity", "warning"}, {"text", "r2"}}};
  const std::string text = metrics_text(now);
  expect_line(text, "binlane_problem{code=\"journal_failed\",severity=\"fault\"} 1");
  expect_line(text, "binlane_problem{code=\"replica_away\",severity=\"warning\"} 1");
  expect_line(text, "binlane_problem{code=\"fenced\",severity=\"fault\"} 0");
  expect_line(text, "binlane_failed{part=\"journal\"} 1");
  for (const char* part : {"archive", "ledger", "role", "state", "exposures", "audit"})
    expect_line(text, std::string("binlane_failed{part=\"") + part + "\"} 0");
}

TEST(Metrics, AStatusOfNothingIsNoError) {
  expect_line(metrics_text(json::object()), "binlane_info{name=\"\",cluster=\"\"} 1");
}

}  // namespace
}  // namespace binlane

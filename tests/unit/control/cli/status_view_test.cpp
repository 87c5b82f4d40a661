// Tests of the status as text: what an operator must find in it, and that no answer can break it.
#include "control/cli/status_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/status/status_summary.h"

namespace binlane {
namespace {

using nlohmann::json;

json position(std::uint32_t file, std::uint64_t offset) {
  return {{"file", file}, {"offset", offset}};
}

json source_status() {
  return {{"name", "s"},
          {"cluster", "demo"},
          {"source",
           {{"state", "SEMISYNC"},
            {"problem", nullptr},
            {"blocked", false},
            {"epoch", "1.3"},
            {"basename", "binlog"},
            {"rule", "ANY 1 (r1, r2)"},
            {"written", position(17, 5000)},
            {"synced", position(17, 4900)},
            {"quorum", position(17, 4800)},
            {"released", nullptr},
            {"server",
             {{"version", "10.11.6-MariaDB"},
              {"status_on", true},
              {"enabled", true},
              {"counted", "commit groups"},
              {"yes_tx", 1200},
              {"no_tx", 3}}},
            {"dump", {{"state", "draining"}, {"problem", nullptr}}},
            {"ledger", {{"entries", 2}, {"open", 0}, {"exposed_groups", 12}, {"failure", nullptr}}},
            {"counters", {{"degrades", 1}, {"recoveries", 1}, {"server_releases", 0}}},
            {"last_transition",
             {{"from", "CATCHING_UP"},
              {"to", "SEMISYNC"},
              {"reason", "a quorum of replicas has caught up"},
              {"ago_ms", 12300},
              {"position", position(17, 100)}}},
            {"replicas",
             {{{"name", "r1"},
               {"connected", true},
               {"received_lag_bytes", 0},
               {"durable_lag_bytes", 2048},
               {"rtt_us", 85.4}},
              {{"name", "r2"}, {"connected", false}, {"refusal", "its log does not match"}}}}}}};
}

json replica_status() {
  return {{"name", "r1"},
          {"cluster", "demo"},
          {"replica",
           {{"connected", true},
            {"source", "s"},
            {"refusal", nullptr},
            {"epoch", "1.3"},
            {"durable", position(17, 5000)},
            {"archived", position(17, 4000)},
            {"journal", {{"blocks", 16384}, {"disk", "io_uring"}, {"failure", nullptr}}},
            {"journal_free_blocks", 16000},
            {"archive", {{"failure", nullptr}}},
            {"feed",
             {{"listening", "127.0.0.1:3401"}, {"clients", json::array({1})}, {"events", 7}}}}}};
}

void expect_words(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

TEST(StatusText, ShowsWhatASourceDoes) {
  expect_words(
      status_text(source_status()),
      {"s ", "cluster demo", "SEMISYNC", "1.3", "ANY 1 (r1, r2)", "binlog.000017:5000",
       "binlog.000017:4800", "released     -", "10.11.6-MariaDB; semi-sync ON",
       "1200 commit groups acknowledged, 3 not", "draining", "2 entries, 0 open, 12 event groups",
       "CATCHING_UP -> SEMISYNC: a quorum of replicas has caught up, 12.3 s ago",
       "r1       connected  0 B           2.0 KiB      85 us",
       "r2       away       -             -            -           its log does not match"});
}

TEST(StatusText, CountsOneAsOne) {
  json status = source_status();
  status["source"]["ledger"] = {
      {"entries", 1}, {"open", 0}, {"exposed_groups", 1}, {"uncountable", 1U}};
  expect_words(status_text(status),
               {"1 entry, 0 open, 1 event group released", "an unknown number in 1 interval"});
  EXPECT_EQ(status_text(status).find("1 intervals"), std::string::npos);
}

TEST(StatusText, ShowsWhatAReplicaDoes) {
  expect_words(status_text(replica_status()),
               {"replica        connected, source s", "durable      17:5000",
                "archived     17:4000", "16000 of 16384 blocks free; io_uring",
                "listening at 127.0.0.1:3401, 1 clients, 7 events served"});
}

TEST(StatusText, AServerThatNobodyHasSeenHasNoState) {
  json status = source_status();
  status["source"]["server"]["version"] = "";
  const std::string text = status_text(status);
  expect_words(text, {"server       not seen yet"});
  EXPECT_EQ(text.find("semi-sync O"), std::string::npos) << text;
}

TEST(StatusText, WhatTheFeedLastRefusedIsToldAsPast) {
  json status = replica_status();
  status["replica"]["feed"]["last_error"] = "Access denied for user 'x'";
  expect_words(status_text(status), {"last error: Access denied for user 'x'"});
}

TEST(StatusText, LinesEndInNewlinesWithoutTrailingSpace) {
  json both = source_status();
  both["replica"] = replica_status()["replica"];
  both["ports"] = {{{"port", "udp"}, {"attached", true}, {"rx_packets", 5}, {"tx_packets", 6}}};
  const std::string text = status_text(both);
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(text.find(" \n"), std::string::npos);
}

// Every member in turn is left out, or replaced by a value of another type.
void mutate(const json& whole, const json::json_pointer& at, std::size_t& count) {
  const json& here = whole.at(at);
  static const json kOthers[] = {nullptr,
                                 true,
                                 -1,
                                 1e300,
                                 "text\n\x1b[2J",
                                 json::array({1, "x"}),
                                 json::object({{"file", -5}, {"offset", "x"}})};
  for (const json& other : kOthers) {
    json changed = whole;
    changed.at(at) = other;
    const std::string text = status_text(changed);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    status_faults(changed);
    ++count;
  }
  if (here.is_structured()) {
    for (const auto& [key, unused] : here.items()) mutate(whole, at / key, count);
  }
}

TEST(StatusText, SurvivesAnyMemberBeingOtherThanExpected) {
  std::size_t count = 0;
  for (const json& status : {source_status(), replica_status()}) {
    json array_free = status;
    if (array_free.contains("source")) array_free["source"]["replicas"] = json::object();
    mutate(array_free, json::json_pointer(""), count);
  }
  EXPECT_GT(count, 200U);
  json odd = source_status();
  odd["source"]["replicas"] = json::array({1, nullptr, json::object()});
  EXPECT_FALSE(status_text(odd).empty());
}

TEST(StatusText, ProblemsStandOnTopAndFaultsAreToldApart) {
  json status = source_status();
  status["problems"] = {
      {{"code", "poll_failing"}, {"severity", "fault"}, {"text", "1045: Access denied"}},
      {{"code", "replica_away"}, {"severity", "warning"}, {"text", "replica r2 is away"}}};
  const std::string text = status_text(status);
  expect_words(text, {"fault        1045: Access denied (poll_failing)",
                      "warning      replica r2 is away (replica_away)"});
  EXPECT_LT(text.find("poll_failing"), text.find("source "));
  EXPECT_EQ(status_faults(status), std::vector<std::string>{"1045: Access denied (poll_failing)"});
  status["problems"] = json::array();
  EXPECT_TRUE(status_faults(status).empty());
}

TEST(StatusText, AStatusWithoutAListOfProblemsIsAFault) {
  EXPECT_FALSE(status_faults(json::object()).empty());
  EXPECT_FALSE(status_faults({{"problems", "none"}}).empty());
  // A severity that this program does not know is none that it may wave through.
  EXPECT_FALSE(status_faults({{"problems", {{{"code", "new"}, {"severity", "grave"}}}}}).empty());
}

TEST(StatusText, Units) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(5.0 * 1024 * 1024 * 1024), "5.0 GiB");
  EXPECT_EQ(duration_text(85.4), "85 us");
  EXPECT_EQ(duration_text(1'200), "1.2 ms");
  EXPECT_EQ(duration_text(12'300'000), "12.3 s");
  EXPECT_EQ(duration_text(600e6), "10 min");
  EXPECT_EQ(duration_text(3 * 3600e6 + 125e6), "3 h 2 min");
}

}  // namespace
}  // namespace binlane

// Every statement of ServerWords, once, on a real server: server_words_test.py starts one of each
// flavour, with semi-sync and GTIDs, and gives its socket in BINLANE_TEST_SOCKET. The account that
// the statements run with has the privileges that ServerWords lists, and no other one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "shim/server/semi_sync_control.h"
#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"
#include "shim/server/server_words.h"
#include "shim/server/standby_check.h"

namespace binlane {
namespace {

constexpr const char* kUser = "words";
constexpr const char* kPassword = "of-a-test";
constexpr std::uint16_t kNobodysPort = 1;

std::string socket_path() {
  const char* const path = std::getenv("BINLANE_TEST_SOCKET");
  return path == nullptr ? std::string() : path;
}

class Words : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ServerConnection root({socket_path(), "root", Secret()});
    ASSERT_TRUE(root.connect().ok()) << "BINLANE_TEST_SOCKET names no server that answers";
    std::string privileges;
    for (const std::span<const Privilege> list :
         {root.words().source_privileges, root.words().standby_privileges}) {
      for (const Privilege& each : list)
        privileges += (privileges.empty() ? "" : ", ") + std::string(each.name);
    }
    const std::string account = std::string("'") + kUser + "'@'localhost'";
    for (const std::string& sql : {"DROP USER IF EXISTS " + account,
                                   "CREATE USER " + account + " IDENTIFIED BY '" + kPassword + "'",
                                   "GRANT " + privileges + " ON *.* TO " + account})
      ASSERT_TRUE(root.query(sql).ok()) << sql;
  }

  void SetUp() override { ASSERT_TRUE(sql_.connect().ok()) << to_string(sql_.connect()); }
  void TearDown() override {
    // Whatever a case has left is undone, so that the next one finds the server as it was.
    if (!sql_.is_connected()) sql_.connect();
    run("SET GLOBAL read_only=0");
    run(words().stop_replica);
    run(words().forget_source);
  }

  const ServerWords& words() const { return sql_.words(); }
  QueryResult run(const std::string& sql) {
    QueryResult result = sql_.query(sql);
    EXPECT_TRUE(result.ok()) << sql << ": " << to_string(result.error);
    return result;
  }
  // The one value of a statement that returns one row.
  std::string value(const std::string& sql) {
    const QueryResult result = run(sql);
    EXPECT_EQ(result.rows.size(), 1U) << sql;
    return result.rows.empty() ? std::string() : result.rows[0][0].value_or("NULL");
  }

  ServerConnection sql_{{socket_path(), kUser, Secret(kPassword)}};
};

TEST_F(Words, AreChosenByTheVersion) {
  const std::string version = value("SELECT VERSION()");
  EXPECT_EQ(words().flavour, flavour_of(version)) << version;
  EXPECT_EQ(words().flavour == ServerFlavour::mariadb,
            version.find("MariaDB") != std::string::npos);
}

TEST_F(Words, TheFactsAreRead) {
  const ServerFactsResult read = read_server_facts(sql_);
  ASSERT_TRUE(read.ok()) << to_string(read.error);
  EXPECT_NE(read.facts.semi_sync_words, SemiSyncWords::none);
  EXPECT_TRUE(read.facts.log_bin);
  EXPECT_TRUE(read.facts.gtid_mode);
  EXPECT_FALSE(read.facts.read_only);
  EXPECT_FALSE(find_missing_privileges(read.facts));
  const StandbyFactsResult standby = read_standby_facts(sql_);
  ASSERT_TRUE(standby.error.ok()) << to_string(standby.error);
  EXPECT_EQ(standby.facts.unseen, "");
  EXPECT_TRUE(check_standby(standby.facts, "127.0.0.1:1").accepted());
}

TEST_F(Words, ThePollHasEverything) {
  const ServerFactsResult read = read_server_facts(sql_);
  ASSERT_TRUE(read.ok());
  SemiSyncControl control(sql_, read.facts.semi_sync_words, read.facts.flavour);
  for (const bool on : {true, false}) {
    ASSERT_TRUE(control.set_enabled(on).ok());
    const SemiSyncPoll poll = control.poll();
    ASSERT_TRUE(poll.ok()) << to_string(poll.error);
    EXPECT_EQ(poll.status.enabled, on);
    EXPECT_FALSE(poll.status.read_only);
    EXPECT_FALSE(poll.status.shown.empty());
  }
  EXPECT_TRUE(control.prepare(WaitPoint::after_sync, 60'000, 10'000).ok());
  // A statement has set it, so nobody knows what was counted since the start.
  EXPECT_FALSE(control.on_since_start());
}

TEST_F(Words, WhereASettingComesFromIsTold) {
  const ServerFactsResult read = read_server_facts(sql_);
  ASSERT_TRUE(read.ok());
  // The test starts the server with it, and nothing sets it.
  const QueryResult found = run(on_since_start_sql(words(), "log_bin_trust_function_creators"));
  ASSERT_EQ(found.rows.size(), 1U);
  EXPECT_EQ(found.rows[0][0], "ON");
  EXPECT_EQ(found.rows[0][1], "1");
  EXPECT_EQ(found.rows[0][2], "1");
}

TEST_F(Words, FencingRefusesWritesAndEnds) {
  for (const std::string& sql : fence_statements(words(), 1)) run(sql);
  const std::string ask = std::string("SELECT @@GLOBAL.") + words().fence;
  EXPECT_EQ(value(ask), "1");
  const ServerFactsResult read = read_server_facts(sql_);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read.facts.read_only);
  EXPECT_TRUE(read.facts.fenced);
  run("SET GLOBAL read_only=0");
  EXPECT_EQ(value(ask), "0");
}

// ReadOnlySetter finds its statement there by these columns.
TEST_F(Words, ItsConnectionsAreListed) {
  const std::string id = value("SELECT CONNECTION_ID()");
  const QueryResult found = run("SHOW PROCESSLIST");
  ASSERT_GE(found.columns.size(), 7U);
  EXPECT_EQ(found.columns[0], "Id");
  EXPECT_EQ(found.columns[4], "Command");
  EXPECT_EQ(found.columns[6], "State");
  EXPECT_TRUE(std::ranges::any_of(found.rows, [&id](const SqlRow& row) { return row[0] == id; }));
}

TEST_F(Words, TheServerFollowsAFeed) {
  run(std::string("SET GLOBAL ") + words().semi_sync_enable + "=OFF");
  run(words().stop_replica);
  const FeedAddress feed{kNobodysPort, "feed", Secret("pass'word")};
  for (const std::string& sql : follow_statements(words(), feed, "")) run(sql);
  run(words().start_replica);
  const QueryResult status = run(words().show_replica_status);
  ASSERT_EQ(status.rows.size(), 1U);
  for (const char* const column : {words().source_host, words().source_port, words().connect_retry,
                                   words().by_gtid, words().io_running, words().sql_running})
    EXPECT_NE(std::find(status.columns.begin(), status.columns.end(), column), status.columns.end())
        << column;
  const StandbyFactsResult standby = read_standby_facts(sql_);
  ASSERT_TRUE(standby.facts.follows.has_value());
  EXPECT_EQ(standby.facts.follows->host, "127.0.0.1");
  EXPECT_EQ(standby.facts.follows->port, std::to_string(kNobodysPort));
  EXPECT_EQ(standby.facts.follows->by_gtid, words().by_gtid_value);
  EXPECT_EQ(standby.facts.follows->connect_retry, "1");
  run(words().stop_replica);
  run(words().forget_source);
  EXPECT_FALSE(read_standby_facts(sql_).facts.follows.has_value());
  run(words().show_replicas);
}

TEST_F(Words, WhatItHasExecutedIsASetOfItsGrammar) {
  const std::string written = value(words().written_gtids);
  const auto set = GtidSet::parse(grammar_of(words()), written);
  ASSERT_TRUE(set.has_value()) << written;
  EXPECT_FALSE(set->empty());
  EXPECT_TRUE(GtidSet::parse(grammar_of(words()), value(words().executed_gtids)).has_value());
  // What it has not executed is waited for no longer than is said.
  run(wait_executed_sql(words(), value(words().executed_gtids), 0.1));
  run(std::string("FLUSH BINARY LOGS"));
}

TEST_F(Words, BinlogsBeginAnew) {
  ServerConnection root({socket_path(), "root", Secret()});
  ASSERT_TRUE(root.connect().ok());
  const QueryResult reset = root.query(words().reset_binlogs);
  EXPECT_TRUE(reset.ok()) << to_string(reset.error);
  EXPECT_EQ(read_server_facts(root).facts.newest_file, 1U);
}

}  // namespace
}  // namespace binlane

// Whether a server replicates from the feed beside it, according to SHOW SLAVE STATUS.
#include "control/failover/following.h"

#include <gtest/gtest.h>

#include <string>

namespace binlane {
namespace {

const ServerWords& kWords = words_of(ServerFlavour::mariadb);

constexpr std::uint16_t kFeedPort = 3401;

QueryResult status(const std::string& io, const std::string& io_error, const std::string& sql,
                   const std::string& sql_error, const std::string& port = "3401") {
  QueryResult result;
  result.columns = {"Master_Host",   "Master_Port",       "Slave_IO_Running",
                    "Last_IO_Error", "Slave_SQL_Running", "Last_SQL_Error"};
  result.rows = {{"127.0.0.1", port, io, io_error, sql, sql_error}};
  return result;
}

TEST(Following, ARunningReplicaHasNoProblem) {
  EXPECT_EQ(following_problem(kWords, status("Yes", "", "Yes", ""), kFeedPort), "");
  EXPECT_EQ(replication_problem(kWords, status("Yes", "", "Yes", ""), kFeedPort), "");
}

TEST(Following, AStoppedThreadIsNamedWithItsError) {
  EXPECT_EQ(replication_problem(kWords, status("No", "error 1236", "Yes", ""), kFeedPort),
            "Slave_IO_Running is No: error 1236 (SHOW SLAVE STATUS and START SLAVE there)");
  EXPECT_EQ(replication_problem(kWords, status("Yes", "", "No", "Duplicate entry"), kFeedPort),
            "Slave_SQL_Running is No: Duplicate entry (SHOW SLAVE STATUS and START SLAVE there)");
  EXPECT_EQ(replication_problem(kWords, status("No", "", "No", ""), kFeedPort),
            "Slave_IO_Running is No (SHOW SLAVE STATUS and START SLAVE there)");
}

// A rejoin ends when the server is connected, whether or not it executes anything.
TEST(Following, ARejoinAsksForTheConnectionOnly) {
  EXPECT_EQ(following_problem(kWords, status("Yes", "", "No", "Duplicate entry"), kFeedPort), "");
  EXPECT_NE(following_problem(kWords, status("No", "error 1236", "Yes", ""), kFeedPort)
                .find("error 1236"),
            std::string::npos);
}

// Connected is not served: the feed hangs up on a server while it has nothing to send.
TEST(Following, TheFeedServesAServerOnceItHasSentSomethingOfItsStream) {
  FeedStatus feed;
  EXPECT_EQ(serving_connection(feed, 7), 0U);
  FeedClientStatus client;
  client.connection_id = 31;
  client.server_id = 7;
  client.dumping = true;
  client.position = {4, 345};
  feed.clients = {FeedClientStatus(), client};
  EXPECT_EQ(serving_connection(feed, 7), 31U);
  EXPECT_EQ(serving_connection(feed, 8), 0U);  // another reader of the archive
  const auto without = [&](auto change) {
    FeedStatus other = feed;
    change(other.clients[1]);
    return serving_connection(other, 7);
  };
  EXPECT_EQ(without([](FeedClientStatus& c) { c.dumping = false; }), 0U);
  EXPECT_EQ(without([](FeedClientStatus& c) { c.position = {}; }), 0U);
  EXPECT_EQ(without([](FeedClientStatus& c) { c.sealed = true; }), 0U);
  EXPECT_EQ(without([](FeedClientStatus& c) { c.ahead = true; }), 0U);
}

TEST(Following, SomebodyElsesFeedAndNobodysAreNamed) {
  EXPECT_NE(replication_problem(kWords, status("Yes", "", "Yes", "", "3306"), kFeedPort)
                .find("follows 127.0.0.1:3306"),
            std::string::npos);
  QueryResult nobody;
  EXPECT_NE(replication_problem(kWords, nobody, kFeedPort).find("follows no source"),
            std::string::npos);
  QueryResult refused;
  refused.error = {1227, "Access denied"};
  EXPECT_NE(replication_problem(kWords, refused, kFeedPort).find("1227"), std::string::npos);
}

TEST(Following, MysqlIsAskedAndNamedInItsOwnWords) {
  const ServerWords& words = words_of(ServerFlavour::mysql);
  QueryResult followed = status("Connecting", "error 2003", "Yes", "");
  followed.columns = {"Source_Host",   "Source_Port",         "Replica_IO_Running",
                      "Last_IO_Error", "Replica_SQL_Running", "Last_SQL_Error"};
  EXPECT_EQ(replication_problem(words, followed, kFeedPort),
            "Replica_IO_Running is Connecting: error 2003 (SHOW REPLICA STATUS and START REPLICA "
            "there)");
  QueryResult refused;
  refused.error = {1227, "Access denied"};
  EXPECT_NE(replication_problem(words, refused, kFeedPort).find("SHOW REPLICA STATUS"),
            std::string::npos);
}

}  // namespace
}  // namespace binlane

// Whether a server follows the feed beside it, by what SHOW SLAVE STATUS answers.
#include "control/following.h"

#include <gtest/gtest.h>

#include <string>

namespace binlane {
namespace {

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
  EXPECT_EQ(following_problem(status("Yes", "", "Yes", ""), kFeedPort), "");
  EXPECT_EQ(replication_problem(status("Yes", "", "Yes", ""), kFeedPort), "");
}

TEST(Following, AStoppedThreadIsNamedWithItsError) {
  EXPECT_EQ(replication_problem(status("No", "error 1236", "Yes", ""), kFeedPort),
            "Slave_IO_Running is No: error 1236");
  EXPECT_EQ(replication_problem(status("Yes", "", "No", "Duplicate entry"), kFeedPort),
            "Slave_SQL_Running is No: Duplicate entry");
  EXPECT_EQ(replication_problem(status("No", "", "No", ""), kFeedPort), "Slave_IO_Running is No");
}

// A rejoin ends when the server is connected; what it executes is another matter.
TEST(Following, ARejoinAsksForTheConnectionOnly) {
  EXPECT_EQ(following_problem(status("Yes", "", "No", "Duplicate entry"), kFeedPort), "");
  EXPECT_NE(following_problem(status("No", "error 1236", "Yes", ""), kFeedPort).find("error 1236"),
            std::string::npos);
}

TEST(Following, SomebodyElsesFeedAndNobodysAreNamed) {
  EXPECT_NE(replication_problem(status("Yes", "", "Yes", "", "3306"), kFeedPort)
                .find("follows 127.0.0.1:3306"),
            std::string::npos);
  QueryResult nobody;
  EXPECT_NE(replication_problem(nobody, kFeedPort).find("follows nobody"), std::string::npos);
  QueryResult refused;
  refused.error = {1227, "Access denied"};
  EXPECT_NE(replication_problem(refused, kFeedPort).find("1227"), std::string::npos);
}

}  // namespace
}  // namespace binlane

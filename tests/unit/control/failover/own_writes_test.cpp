#include "control/failover/own_writes.h"

#include <gtest/gtest.h>

#include "fake_standby_server.h"

namespace binlane {
namespace {

TEST(OwnWrites, AServerThatWroteNothingByItselfIsFit) {
  FakeStandbyServer server;
  OwnWrites own(server);
  EXPECT_TRUE(own.look(1).is_ok());
  server.written = "";
  EXPECT_TRUE(own.look(2).is_ok());
}

// What it executes at this moment stands in its binlog first.
TEST(OwnWrites, ATransactionThatIsBeingExecutedIsWaitedFor) {
  FakeStandbyServer server;
  OwnWrites own(server);
  server.written = "0-1-11";
  EXPECT_TRUE(own.look(1).is_pending());
  server.executed = "0-1-11";
  EXPECT_TRUE(own.look(2).is_ok());
}

TEST(OwnWrites, ATransactionOfItsOwnIsNamedAfterASecond) {
  FakeStandbyServer server;
  OwnWrites own(server);
  server.written = "0-1-10,5-2-1";
  EXPECT_TRUE(own.look(1).is_pending());
  EXPECT_TRUE(own.look(OwnWrites::kPatienceNs).is_pending());
  const Status found = own.look(1 + OwnWrites::kPatienceNs);
  ASSERT_TRUE(found.is_failed());
  EXPECT_NE(found.text().find("transactions of its own"), std::string::npos) << found.text();
  EXPECT_NE(found.text().find("5-2-1"), std::string::npos) << found.text();
}

TEST(OwnWrites, AServerThatDoesNotAnswerIsAskedForASecond) {
  FakeStandbyServer server;
  OwnWrites own(server);
  server.answer = false;
  EXPECT_TRUE(own.look(1).is_pending());
  server.answer = true;
  EXPECT_TRUE(own.look(2).is_ok());
  server.answer = false;
  EXPECT_TRUE(own.look(OwnWrites::kPatienceNs).is_pending());
  EXPECT_TRUE(own.look(2 * OwnWrites::kPatienceNs).is_failed());
}

}  // namespace
}  // namespace binlane

#include "control/failover/own_writes.h"

#include <gtest/gtest.h>

#include "shim/binlog/gtid_position.h"

namespace binlane {
namespace {

class FakeServer final : public StandbyServer {
 public:
  Status answers() override { return Status::ok(); }
  const ServerWords& words() const noexcept override { return words_of(ServerFlavour::mariadb); }
  Status check_fit(std::vector<std::string>&) override { return Status::ok(); }
  Result<Positions> positions() override {
    if (!answer) return Status::failed("the server to answer");
    return Positions{executed, written};
  }
  bool covers(const std::string& state, const std::string& wanted) const override {
    const auto has = GtidPosition::parse(state);
    const auto wants = GtidPosition::parse(wanted);
    return has && wants && binlane::covers(*has, *wants);
  }
  Status stop_following() override { return Status::ok(); }
  Result<NewStream> begin_stream() override { return NewStream{"binlog", 1}; }
  Status stop_writes() override { return Status::ok(); }
  Status follow(const FeedAddress&, const std::string&, std::string&) override {
    return Status::ok();
  }
  Result<std::uint32_t> follows(std::uint16_t) override { return std::uint32_t{1}; }

  bool answer = true;
  std::string executed = "0-1-10";
  std::string written = "0-1-10";
};

TEST(OwnWrites, AServerThatWroteNothingByItselfIsFit) {
  FakeServer server;
  OwnWrites own(server);
  EXPECT_TRUE(own.look(1).is_ok());
  server.written = "";
  EXPECT_TRUE(own.look(2).is_ok());
}

// What it executes at this moment stands in its binlog first.
TEST(OwnWrites, ATransactionThatIsBeingExecutedIsWaitedFor) {
  FakeServer server;
  OwnWrites own(server);
  server.written = "0-1-11";
  EXPECT_TRUE(own.look(1).is_pending());
  server.executed = "0-1-11";
  EXPECT_TRUE(own.look(2).is_ok());
}

TEST(OwnWrites, ATransactionOfItsOwnIsNamedAfterASecond) {
  FakeServer server;
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
  FakeServer server;
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

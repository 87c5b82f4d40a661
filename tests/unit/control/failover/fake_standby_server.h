// FakeStandbyServer: the server of a standby, which answers what a test says.
#pragma once

#include <string>
#include <vector>

#include "control/failover/standby_server.h"
#include "shim/binlog/gtid_position.h"

namespace binlane {

class FakeStandbyServer final : public StandbyServer {
 public:
  Status answers() override { return Status::ok(); }
  const ServerWords& words() const noexcept override { return words_of(ServerFlavour::mariadb); }
  Status check_fit(std::vector<std::string>&) override {
    ++checks;
    return Status::of_problem(unfit);
  }
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
  std::string unfit;  // empty: it could take over
  int checks = 0;
  std::string executed = "0-1-10";
  std::string written = "0-1-10";
};

}  // namespace binlane

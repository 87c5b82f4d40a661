#include "sim_standby.h"

#include <utility>

#include "base/assert.h"
#include "shim/binlog/gtid_set.h"

namespace binlane::sim {

Status SimStandby::answers() {
  const bool down = clock_.time_ns < own_.server().down_until_ns || (!is_replica_ && !server_.up());
  return down ? Status::failed("the server to answer") : Status::ok();
}

Status SimStandby::check_fit(std::vector<std::string>& warnings) {
  warnings.clear();
  return answers();
}

// Whatever it executes it writes to its own binlog as well.
Result<StandbyServer::Positions> SimStandby::positions() {
  if (Status up = answers(); !up.is_ok()) return up;
  const std::string now = own_.executed_gtid();
  return Positions{now, now};
}

bool SimStandby::covers(const std::string& state, const std::string& wanted) const {
  const GtidGrammar grammar = server_.temperament().grammar;
  const auto has = GtidSet::parse(grammar, state);
  const auto wants = GtidSet::parse(grammar, wanted);
  return has && wants && has->covers(*wants);
}

Status SimStandby::stop_following() {
  if (Status up = answers(); !up.is_ok()) return up;
  own_.server().following = false;
  return Status::ok();
}

// FLUSH BINARY LOGS. The first file of the server exists at once; another one takes a moment.
Result<StandbyServer::NewStream> SimStandby::begin_stream() {
  if (Status up = answers(); !up.is_ok()) return up;
  if (is_replica_) {
    const auto executed = GtidSet::parse(server_.temperament().grammar, own_.executed_gtid());
    BL_ASSERT(executed.has_value());
    is_replica_ = false;
    server_.start_after(*executed);
    return NewStream{kBasename, server_.last_listed()};
  }
  if (flushed_from_ == 0) {
    flushed_from_ = server_.last_listed();
    server_.flush_logs();
  }
  if (server_.last_listed() == flushed_from_) return Status::pending();
  flushed_from_ = 0;
  return NewStream{kBasename, server_.last_listed()};
}

void SimStandby::rebuild() {
  server_.forget();
  is_replica_ = rebuilt_ = true;
  flushed_from_ = 0;
}

void SimStandby::become_replica() {
  if (is_replica_) return;
  std::string stands_at = server_.executed().text();
  server_.forget();
  is_replica_ = true;
  flushed_from_ = 0;
  own_.server().begin_anew(std::move(stands_at));
}

Status SimStandby::stop_writes() {
  if (!server_.up()) return Status::ok();
  server_.begin_read_only();
  return server_.read_only_pending() ? Status::failed("the server still takes writes")
                                     : Status::ok();
}

Status SimStandby::follow(const FeedAddress&, const std::string&, std::string& report) {
  report = "CHANGE MASTER";
  if (std::exchange(rebuilt_, false)) own_.server().begin_anew({});
  own_.server().following = true;
  return answers();
}

Result<std::uint32_t> SimStandby::follows(std::uint16_t) {
  if (Status up = answers(); !up.is_ok()) return up;
  if (!own_.server().following) return Status::failed("it follows nobody");
  return FedServer::kServerId;
}

}  // namespace binlane::sim

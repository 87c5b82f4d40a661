// FitnessWatch: whether a promotion would refuse this standby's server. It looks now and then, so
// that an operator learns of it before the day of a failover, and by the same checks as a promotion
// (PromotionPreflight). Source's control thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "control/failover/own_writes.h"
#include "control/failover/standby_server.h"

namespace binlane {

class FitnessWatch {
 public:
  static constexpr std::uint64_t kLookEveryNs = 10 * kNanosPerSecond;

  // `server` must outlive this object.
  explicit FitnessWatch(StandbyServer& server) : server_(server), own_writes_(server) {}

  // Call it every turn while the server answers.
  void look(std::uint64_t now_ns);
  // Why a promotion would be refused; empty if it would not, and before the first look has ended.
  const std::string& problem() const noexcept { return problem_; }
  // The host's role has changed, or its server's data has.
  void start_over();

 private:
  void end(std::uint64_t now_ns, std::string problem);

  StandbyServer& server_;
  OwnWrites own_writes_;
  std::string problem_;
  bool looking_ = false;  // the server is fit, and is asked for what it has written by itself
  std::uint64_t next_ns_ = 0;
};

}  // namespace binlane

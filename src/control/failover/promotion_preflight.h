// PromotionPreflight: what a host checks before it asks for a term, so that a promotion that cannot
// succeed changes nothing: its own journal, its server, and what its peers answer to a look
// (PromotionSurvey). A dry run does this and nothing more. Source's control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "control/config/config.h"
#include "control/failover/look_server.h"
#include "control/failover/own_writes.h"
#include "control/failover/promotion_survey.h"
#include "control/failover/standby_server.h"
#include "control/replica/replica_side.h"

namespace binlane {

class PromotionPreflight {
 public:
  // Everything given must outlive this object.
  PromotionPreflight(const Config& config, LaneHandle& lane, ReplicaSide& replica,
                     StandbyServer& server, std::vector<SessionManager::Replica> peers);

  // `host_id`: the candidate's. `from_live_source`: the operator permits it although the source is
  // alive.
  void begin(const Uuid& host_id, bool from_live_source);
  // One turn. Ok: no obstacle is known. Pending: waiting_for() says for what. Failed: why a
  // promotion would not succeed.
  Status work(std::uint64_t now_ns);

  const std::string& waiting_for() const noexcept { return waiting_for_; }
  // What was found, in lines for operators; complete when work() is not pending any more.
  const std::vector<std::string>& lines() const noexcept { return lines_; }
  // The term that the promotion would ask for; 0: there is none.
  std::uint32_t term() const noexcept { return term_; }
  // The largest term that any peer has promised.
  std::uint32_t largest_promise() const noexcept { return largest_promise_; }

 private:
  enum class Phase : std::uint8_t { host, server, peers, looking };

  Status check_host();
  Status check_journal();
  Status check_server(std::uint64_t now_ns);
  Status begin_look(std::uint64_t now_ns);
  Status survey(std::uint64_t now_ns);
  Status wait_for(std::string what);

  const Config& config_;
  ReplicaSide& replica_;
  StandbyServer& server_;
  const std::vector<SessionManager::Replica> peers_;
  LookServer looks_;
  OwnWrites own_writes_;
  Phase phase_ = Phase::host;
  Uuid host_id_;
  bool from_live_source_ = false;
  bool server_fit_ = false;
  int attempts_ = 0;
  std::uint32_t term_ = 0;
  std::uint32_t largest_promise_ = 0;
  std::optional<PromotionSurvey> survey_;
  std::vector<std::string> warnings_;  // what would delay the promotion
  std::vector<std::string> lines_;
  std::string waiting_for_;
};

// How often a promotion asks for another term, because a peer has promised this one, or a later
// one.
inline constexpr int kMaxTermAttempts = 4;

}  // namespace binlane

// LogDonor: serves this host's log to a candidate (the joiner) that holds less of the same stream,
// and to which this host has promised itself. [S1]
//
// It serves a copy of its journal and archive as a source would, in epoch {term, 0} of the joiner's
// term, to the joiner alone, and as long as the joiner asks. What was released on this host may be
// released there. Nothing else is acknowledged, and no quorum rule is recorded. Source's control
// thread of a standby.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/failover/candidate_log.h"
#include "control/failover/sealed_stream_server.h"
#include "control/replica/log_transfer.h"
#include "control/replica/replica_side.h"

namespace binlane {

class LogDonor {
 public:
  // Everything given must outlive this object. `hosts`: the only ones that may fetch the log.
  LogDonor(const Config& config, ReplicaSide& replica, LaneHandle& lane, BinlogFolders& folders,
           const TimeSource& time, std::vector<SessionManager::Replica> hosts);

  // One turn.
  void work(std::uint64_t now_ns);
  bool lending() const noexcept { return phase_ == Phase::drain || phase_ == Phase::serve; }
  // Ends it, because the lane is needed for something else or the joiner asks no more.
  void stop();

 private:
  enum class Phase : std::uint8_t {
    idle,
    drain,  // this host's writes in flight end
    serve,
    refused,  // something went wrong; nothing is tried until another joiner asks
  };

  void begin(const TransferRequest& transfer);
  Status begin_serving();
  void remove_copy() const;
  std::string folder() const { return config_.data_dir + "/lent"; }

  const Config& config_;
  ReplicaSide& replica_;
  SealedStreamServer stream_;
  std::vector<SessionManager::Replica> hosts_;
  Phase phase_ = Phase::idle;
  TransferRequest transfer_;
  std::optional<CandidateLog> log_;
  Position released_;
};

}  // namespace binlane

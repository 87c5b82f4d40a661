// Lender: lends this host's log to a candidate that holds less of the same stream, and to which
// this host has promised itself (safety rule S1).
//
// It serves a copy of its journal and archive as a source would, in epoch {term, 0} of the
// candidate's term, to that candidate alone, for as long as it is asked. What was released here may
// be released there; nothing else is acknowledged, and no rule goes on record. Source's control
// thread of a standby.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config.h"
#include "control/loan.h"
#include "control/log_server.h"
#include "control/own_log.h"
#include "control/replica_side.h"

namespace binlane {

class Lender {
 public:
  // All outlive this. `hosts`: who may borrow.
  Lender(const Config& config, ReplicaSide& replica, SourceLane& lane, DumpDrain& drain,
         std::vector<HandshakeDesk::Replica> hosts);

  void work(std::uint64_t now_ns);
  bool lending() const noexcept { return phase_ == Phase::settle || phase_ == Phase::serve; }
  // The lane is wanted for something else.
  void stop();

 private:
  enum class Phase : std::uint8_t {
    idle,
    settle,  // own writes in flight end
    serve,
    refused,  // by what has gone wrong, until another one asks
  };

  void begin(const Loan& loan);
  std::string settle(bool& done);
  void remove_copy() const;
  std::string folder() const { return config_.data_dir + "/lent"; }

  const Config& config_;
  ReplicaSide& replica_;
  LogServer server_;
  std::vector<HandshakeDesk::Replica> hosts_;
  Phase phase_ = Phase::idle;
  Loan loan_;
  std::optional<OwnLog> log_;
  Position released_;
};

}  // namespace binlane

// Lender of the simulator: a replica's host that lends its log to a candidate which holds less,
// with the production handshakes and lane. Glue: its turns do what the daemon's Lender does,
// function by function. Keep them alike.
#pragma once

#include <optional>

#include "control/loan.h"
#include "log_server.h"
#include "replica_host.h"

namespace binlane::sim {

class Lender {
 public:
  // `local`: of the host's source side. `hosts`: who may borrow.
  Lender(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
         ReplicaHost& own, Endpoint local, std::vector<HandshakeDesk::Replica> hosts);

  std::size_t turn();
  // The host itself is promoted, or its daemon has died.
  void stop();
  bool serving() const { return server_.serving(); }
  const Endpoint& endpoint() const { return local_; }

 private:
  enum class Phase : std::uint8_t { idle, settle, serve, refused };

  void work(std::uint64_t now_ns);
  std::string settle(bool& done, std::uint64_t now_ns);

  test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  ReplicaHost& own_;
  Endpoint local_;
  std::vector<HandshakeDesk::Replica> hosts_;
  Phase phase_ = Phase::idle;
  Loan loan_;
  Position released_;
  BinlogStore lent_;
  LogServer server_;
  std::uint64_t opening_ = 0;  // of the journal; another one is another process
  std::uint64_t control_ns_ = 0;
};

}  // namespace binlane::sim

// Daemon: a binlaned put together from its configuration: ports, lanes, and the ordinary threads
// beside them.
//
// A daemon is a source, a replica, or both at once (as servers are that may change roles). Made and
// ended on the main thread; everything in between runs on threads of its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/audit_log.h"
#include "control/config.h"
#include "control/host_role.h"
#include "control/lane.h"
#include "control/replica_side.h"
#include "control/source_control.h"
#include "control/source_lane.h"
#include "control/watchdog.h"
#include "dataplane/any_port.h"
#include "dataplane/port_plugger.h"

namespace binlane {

class Daemon {
 public:
  // Brings up EAL if a port needs it, opens journal, archive, state and ledger, and starts all
  // threads. Throws StartupError.
  explicit Daemon(const Config& config);
  // Stops the threads in the order in which they depend on one another.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // For status; null where the daemon has no such role.
  const SourceControl* source() const noexcept { return source_control_.get(); }
  ReplicaSide* replica() const noexcept { return replica_side_.get(); }
  SourceControl* source_control() const noexcept { return source_control_.get(); }
  AuditLog& audit() const noexcept { return *audit_; }
  // Where a commit's time goes; null where this is no source.
  const StageClock* stages() const noexcept {
    return source_lane_ ? &source_lane_->queues().stages : nullptr;
  }
  struct PortView {
    std::string spec;
    std::string section;  // that it belongs to: "source" or "replica"
    std::string address;  // our own; empty for ports that have none
    bool attached = false;
    std::string problem;
    PortCounters counters;
    FaultCounters faults;
  };
  std::vector<PortView> ports() const;
  std::uint64_t lane_turns() const;
  // All threads that the watchdog looks at. Any thread.
  WatchedThreads threads() const;
  // One more of them, which outlives every call of threads(). Before anybody asks.
  void watch(std::string name, const Heartbeat& heart) {
    others_.emplace_back(std::move(name), &heart);
  }

 private:
  struct PortHolder {
    std::string spec;
    std::string section;
    std::string address;
    std::unique_ptr<AnyPort> port;
    std::unique_ptr<PortPlugger> plugger;  // DPDK ports only
  };

  std::size_t add_port(const PortSpec& spec, const Endpoint& local, PortSide side,
                       std::vector<Neighbour> neighbours);
  void make_source();
  void make_replica();
  void start_lanes();

  const Config& config_;
  std::unique_ptr<AuditLog> audit_;
  std::vector<PortHolder> ports_;
  // Source ports by what makes two replicas share one.
  std::map<std::pair<std::string, Endpoint>, std::size_t> shared_ports_;

  std::unique_ptr<RoleFile> role_file_;
  std::unique_ptr<SourceLane> source_lane_;
  std::unique_ptr<SourceControl> source_control_;

  std::unique_ptr<ReplicaSide> replica_side_;

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::pair<std::string, const Heartbeat*>> others_;
};

}  // namespace binlane

// Daemon: a binlaned built from its configuration: ports, lanes, and the ordinary threads beside
// them.
//
// A daemon is a source, a replica, or both at once (on servers that may change roles). It is
// created and ended on the main thread; everything in between runs on threads of its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/admin/audit_log.h"
#include "control/config/config.h"
#include "control/daemon/watchdog.h"
#include "control/failover/host_role.h"
#include "control/replica/replica_side.h"
#include "control/replica/system_replica_platform.h"
#include "control/source/control_thread.h"
#include "control/stream/source_lane.h"
#include "dataplane/lane/lane.h"
#include "dataplane/port/any_port.h"
#include "dataplane/port/port_attacher.h"

namespace binlane {

class Daemon {
 public:
  // Starts EAL if a port needs it, opens journal, archive, state and ledger, and starts all
  // threads. Throws StartupError.
  explicit Daemon(const Config& config);
  // Stops the threads in the order in which they depend on one another.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // For status; null if the daemon has no such role.
  const ControlThread* source() const noexcept { return source_control_.get(); }
  ReplicaSide* replica() const noexcept { return replica_side_.get(); }
  const SystemReplicaPlatform* replica_platform() const noexcept { return replica_platform_.get(); }
  ControlThread* source_control() const noexcept { return source_control_.get(); }
  AuditLog& audit() const noexcept { return *audit_; }
  // Where a commit's time goes; null if this host is no source.
  const CommitTracer* stages() const noexcept {
    return source_lane_ ? &source_lane_->queues().stages : nullptr;
  }
  struct PortView {
    std::string spec;
    std::string section;  // the section that it belongs to: "source" or "replica"
    std::string address;  // our own; empty for ports that have none
    bool attached = false;
    std::string problem;
    PortCounters counters;
    FaultCounters faults;
  };
  std::vector<PortView> ports() const;
  std::uint64_t lane_turns() const;
  // All threads that the watchdog watches. Any thread.
  WatchedThreads threads() const;
  // One more of them, which must outlive every call of threads(). Before the first call.
  void watch(std::string name, const Heartbeat& heart) {
    others_.emplace_back(std::move(name), &heart);
  }

 private:
  struct PortHolder {
    std::string spec;
    std::string section;
    std::string address;
    std::unique_ptr<AnyPort> port;
    std::unique_ptr<PortAttacher> attacher;  // DPDK ports only
  };

  std::size_t add_port(const PortSpec& spec, const Endpoint& local, PortSide side,
                       std::vector<Neighbour> neighbours);
  void make_source();
  void make_replica();
  void start_lanes();

  const Config& config_;
  std::unique_ptr<AuditLog> audit_;
  std::vector<PortHolder> ports_;
  // Source ports, by what makes two replicas share one.
  std::map<std::pair<std::string, Endpoint>, std::size_t> shared_ports_;

  std::unique_ptr<RoleFile> role_file_;
  std::unique_ptr<SourceLane> source_lane_;
  std::unique_ptr<ControlThread> source_control_;

  std::unique_ptr<SystemReplicaPlatform> replica_platform_;
  std::unique_ptr<ReplicaSide> replica_side_;

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::pair<std::string, const Heartbeat*>> others_;
};

}  // namespace binlane

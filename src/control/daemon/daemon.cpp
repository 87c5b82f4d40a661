#include "control/daemon/daemon.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "control/config/config_value.h"
#include "control/config/file_trust.h"
#include "control/config/peer_config.h"
#include "control/daemon/cpu_priority.h"
#include "storage/file_mode.h"

namespace binlane {
namespace {

// How long a device may take to become ready at start.
constexpr std::uint64_t kDeviceTimeoutNs = 30 * kNanosPerSecond;

bool is_dpdk(const PortSpec& spec) {
  return spec.kind != PortKind::udp;
}

EalConfig eal_config(const Config& config) {
  EalConfig eal = config.eal;
  const auto add = [&eal](const PortSpec& spec) {
    if (spec.on_pci()) eal.pci_devices.push_back(spec.argument.substr(0, spec.argument.find(',')));
  };
  if (config.source) {
    for (const SourceReplicaConfig& replica : config.source->replicas) add(replica.port);
  }
  if (config.replica) add(config.replica->port);
  return eal;
}

void await_device(const PortAttacher& attacher, const std::string& spec) {
  const std::uint64_t deadline_ns = monotonic_ns() + kDeviceTimeoutNs;
  for (;;) {
    const PortAttacher::Status status = attacher.status();
    if (status.state == PortAttacher::State::attached) return;
    if (status.failures > 0)
      throw StartupError(fmt::format("port {}: {}", spec, status.last_error));
    if (monotonic_ns() > deadline_ns)
      throw StartupError(
          fmt::format("port {}: not ready after {} s", spec, kDeviceTimeoutNs / kNanosPerSecond));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void make_data_directory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error)
    throw StartupError(fmt::format("cannot create data_dir {}: {}", path, error.message()));
  if (::mkdir(path.c_str(), kPrivateFolderMode) != 0 && errno != EEXIST)
    throw StartupError(fmt::format("cannot create data_dir {}: {}", path, errno_text(errno)));
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode))
    throw StartupError(fmt::format(
        "cannot create data_dir {}: a file of that name exists and is not a folder", path));
  if (const std::string problem = why_not_trusted(path, facts); !problem.empty())
    throw StartupError(fmt::format("data_dir: {}", problem));
}

bool needs_eal(const Config& config) {
  bool needed = config.replica && is_dpdk(config.replica->port);
  if (config.source) {
    for (const SourceReplicaConfig& replica : config.source->replicas)
      needed |= is_dpdk(replica.port);
  }
  return needed;
}

}  // namespace

Daemon::Daemon(const Config& config) : config_(config) {
  make_data_directory(config.data_dir);
  audit_ = std::make_unique<AuditLog>(config.data_dir + "/audit.jsonl");
  if (needs_eal(config)) eal_start(eal_config(config));
  if (config.replica) make_replica();
  if (config.source) make_source();
  if (config_.lane.give_way)
    static_cast<void>(give_way_to_server(std::thread::hardware_concurrency()));
  start_lanes();
  if (replica_side_) replica_side_->start();
  if (source_control_) {
    source_control_->on_ended(
        [this](const char* verb, const std::string& refusal) { audit_->ended(verb, refusal); });
    source_control_->start();
  }
}

Daemon::~Daemon() {
  // First no new client is served, then the lanes end, then what they feed.
  if (source_control_) source_control_->stop();
  if (replica_side_) replica_side_->stop_serving();
  for (const auto& lane : lanes_) lane->stop();
  if (replica_side_) replica_side_->stop_archive();
}

std::size_t Daemon::add_port(const PortSpec& spec, const Endpoint& local, PortSide side,
                             std::vector<Neighbour> neighbours) {
  PortConfig port;
  port.spec = spec;
  port.local = local;
  port.side = side;
  port.faults = config_.faults;
  port.neighbours = std::move(neighbours);
  PortHolder holder;
  holder.spec = to_string(spec);
  holder.section = side == PortSide::source ? "source" : "replica";
  if (local.udp_port != 0) holder.address = endpoint_text(local);
  holder.port = std::make_unique<AnyPort>(port);
  if (DpdkPort* const dpdk = holder.port->dpdk())
    holder.attacher = std::make_unique<PortAttacher>(*dpdk);
  // A vhost-user link waits for its peer; any other device is ready at once, or never as it is
  // configured.
  if (spec.kind == PortKind::dpdk) await_device(*holder.attacher, holder.spec);
  ports_.push_back(std::move(holder));
  return ports_.size() - 1;
}

void Daemon::make_source() {
  std::vector<SessionManager::Replica> replicas;
  std::vector<AnyPort*> ports;
  for (const SourceReplicaConfig& replica : config_.source->replicas) {
    const auto key = std::make_pair(to_string(replica.port), replica.local_address);
    auto found = shared_ports_.find(key);
    if (found == shared_ports_.end()) {
      const std::size_t index = add_port(replica.port, replica.local_address, PortSide::source,
                                         neighbours_of(*config_.source, replica));
      found = shared_ports_.emplace(key, ports.size()).first;
      ports.push_back(ports_[index].port.get());
    }
    replicas.push_back({replica.name, static_cast<std::uint32_t>(found->second), replica.address});
  }
  source_lane_ =
      std::make_unique<SourceLane>(std::move(ports), SessionManager::addresses_of(replicas));
  role_file_ = std::make_unique<RoleFile>(
      role_file_path(config_), config_.source->standby ? HostRole::standby : HostRole::source);
  source_control_ = std::make_unique<ControlThread>(config_, *source_lane_, std::move(replicas),
                                                    *role_file_, replica_side_.get());
}

void Daemon::make_replica() {
  const ReplicaConfig& replica = *config_.replica;
  const std::size_t port =
      add_port(replica.port, replica.address, PortSide::replica, neighbours_of(replica));
  replica_platform_ = std::make_unique<SystemReplicaPlatform>(config_, *ports_[port].port);
  replica_side_ = std::make_unique<ReplicaSide>(config_, *replica_platform_);
}

void Daemon::start_lanes() {
  std::vector<std::vector<LaneAgent>> agents;
  const auto add = [&](LaneAgent agent) {
    if (agents.empty() || config_.lane.mode == LaneMode::dedicated) agents.emplace_back();
    agents.back().push_back(std::move(agent));
  };
  if (source_lane_)
    add({{},
         [this] { return source_lane_->do_work(); },
         [this] { return source_lane_->batch(); },
         {}});
  if (replica_side_) {
    add({[this] { replica_platform_->attach(); }, [this] { return replica_platform_->do_work(); },
         [this] { return replica_platform_->batch(); },
         [this](std::uint64_t length_ns) { return replica_platform_->wait(length_ns); }});
    replica_side_->lane().resume();
  }
  for (std::size_t i = 0; i < agents.size(); ++i) {
    Lane::Options options;
    options.name = fmt::format("lane{}", i);
    options.idle = config_.lane.idle;
    options.nap_us = config_.lane.nap_us;
    options.cpu = config_.lane.cpu;
    lanes_.push_back(std::make_unique<Lane>(options, std::move(agents[i])));
    lanes_.back()->start();
  }
}

std::vector<Daemon::PortView> Daemon::ports() const {
  std::vector<PortView> views;
  for (const PortHolder& holder : ports_) {
    PortView view;
    view.spec = holder.spec;
    view.section = holder.section;
    view.address = holder.address;
    view.attached = holder.port->attached();
    if (holder.attacher) view.problem = holder.attacher->status().last_error;
    view.counters = holder.port->counters();
    view.faults = holder.port->fault_counters();
    views.push_back(std::move(view));
  }
  return views;
}

WatchedThreads Daemon::threads() const {
  WatchedThreads watched;
  for (const auto& lane : lanes_) watched.lane_turns.push_back(lane->turns());
  const std::uint64_t now_ns = monotonic_ns();
  const auto add = [&](const std::string& name, const Heartbeat& heart) {
    watched.threads.push_back({name, heart.silent_ns(now_ns)});
  };
  if (source_control_) add("source control", source_control_->heartbeat());
  if (replica_side_) {
    add("replica control", replica_platform_->heartbeat());
    const auto parts = replica_side_->parts();
    add("archive", parts->archiver->heartbeat());
  }
  for (const auto& [name, heart] : others_) add(name, *heart);
  return watched;
}

std::uint64_t Daemon::lane_turns() const {
  std::uint64_t turns = 0;
  for (const auto& lane : lanes_) turns += lane->turns();
  return turns;
}

}  // namespace binlane

#include "control/daemon/daemon_status.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "control/daemon/replica_status.h"
#include "control/daemon/source_status.h"
#include "control/daemon/status_json.h"
#include "control/status/problem_finder.h"

namespace binlane {
namespace {

using nlohmann::json;

json problems_json(const std::vector<Problem>& problems) {
  json rows = json::array();
  for (const Problem& problem : problems)
    rows.push_back({{"code", kind_of(problem.code).name},
                    {"severity", to_string(problem.severity)},
                    {"text", problem.text}});
  return rows;
}

json ports_json(const std::vector<Daemon::PortView>& views) {
  json ports = json::array();
  for (const Daemon::PortView& port : views) {
    const PortCounters& counters = port.counters;
    json row = {{"port", port.spec},
                {"section", port.section},
                {"address", text_or_null(port.address)},
                {"attached", port.attached},
                {"problem", text_or_null(port.problem)},
                {"rx_packets", counters.rx_packets},
                {"rx_bytes", counters.rx_bytes},
                {"rx_foreign", counters.rx_foreign},
                {"tx_packets", counters.tx_packets},
                {"tx_bytes", counters.tx_bytes},
                {"tx_no_buffer", counters.tx_no_buffer},
                {"tx_dropped", counters.tx_dropped},
                {"tx_unresolved", counters.tx_unresolved},
                {"link_downs", counters.link_downs},
                {"quiesce_timeouts", counters.quiesce_timeouts}};
    if (port.faults.seen > 0)
      row["faults"] = {{"seen", port.faults.seen},
                       {"lost", port.faults.lost},
                       {"duplicated", port.faults.duplicated},
                       {"reordered", port.faults.reordered},
                       {"corrupted", port.faults.corrupted}};
    ports.push_back(std::move(row));
  }
  return ports;
}

}  // namespace

json status_json(const StatusSight& sight) {
  json status = {{"name", sight.name},
                 {"cluster", sight.cluster},
                 {"problems", problems_json(find_problems(sight.host))},
                 {"ports", ports_json(sight.ports)},
                 {"data_dir",
                  {{"free_bytes",
                    sight.data_dir_free_bytes ? json(*sight.data_dir_free_bytes) : json(nullptr)},
                   {"audit_bytes", sight.audit_bytes}}},
                 {"lane_turns", sight.lane_turns}};
  if (sight.host.source != nullptr)
    status["source"] = source_json(*sight.host.source_config, *sight.host.source);
  if (sight.host.replica != nullptr) status["replica"] = replica_json(sight);
  return status;
}

json daemon_status(const Config& config, const Daemon& daemon) {
  StatusSight sight{config.name,
                    config.cluster,
                    {},
                    daemon.ports(),
                    daemon.lane_turns(),
                    {},
                    {},
                    ArchiveIo().free_bytes(config.data_dir),
                    daemon.audit().bytes()};
  std::optional<SourceView> source;
  std::optional<ReplicaSight> replica;
  if (daemon.source() != nullptr) {
    source = daemon.source()->view();
    // As it is in force; before the first turn, as it was read.
    sight.host.source_config =
        source->config != nullptr ? &*source->config->source : &*config.source;
    sight.host.source = &*source;
  }
  if (daemon.replica() != nullptr) {
    const auto parts = daemon.replica()->parts();
    replica = ReplicaSight{daemon.replica()->control().view(), parts->archiver->status(),
                           parts->feed->status(), daemon.replica()->retention(),
                           daemon.replica()->sources()};
    sight.host.replica = &*replica;
    sight.archive_folder = parts->folder;
    sight.journal_disk = daemon.replica_platform()->describe_disk();
  }
  for (const Daemon::PortView& port : sight.ports)
    sight.host.ports.push_back({port.spec, port.attached, port.problem});
  for (const ThreadSilence& thread : daemon.threads().threads) {
    if (thread.silent_ns >= Watchdog::kThreadShownNs)
      sight.host.stuck.push_back({thread.name, thread.silent_ns / kNanosPerMilli});
  }
  sight.host.audit_failure = daemon.audit().failure();
  return status_json(sight);
}

}  // namespace binlane

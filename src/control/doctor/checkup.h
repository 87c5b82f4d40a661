// What `binlane doctor` checks: the server's settings, the journal's device, the host, the quorum
// rule. Each check says what it found, how bad that is, and what to do. An ordinary program's main
// thread; nothing is changed except by test writes in a file of its own.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/failover/host_role.h"

namespace binlane {

enum class CheckSeverity : std::uint8_t { fine, warning, fault };
const char* to_string(CheckSeverity severity) noexcept;

struct HealthFinding {
  CheckSeverity severity = CheckSeverity::fine;
  std::string topic;
  std::string found;
  std::string remedy;  // empty if nothing has to be done
};
using Findings = std::vector<HealthFinding>;

// All of them. `status`: what the binlaned that runs here answers to `status`; null: none does.
Findings check_up(const Config& config, const nlohmann::json& status);

// The problems that a running binlaned reports: it sees what nobody else can, such as what of the
// server's transactions came from the feed. Pure.
Findings check_daemon(const nlohmann::json& status);
// The server of a source's daemon. `fenced`: this host must not have its server started before a
// rejoin has looked at its binlogs.
Findings check_server(const Config& config, bool fenced);
// A server that cannot be connected to, by its error. Pure.
HealthFinding unreachable_server(const SourceConfig& source, const std::string& error, bool fenced);
// Whether all of the server's semi-sync clients are ours: it has `clients`; `others` are the server
// ids of registered replicas that are no binlaned. Pure.
Findings check_ackers(const ServerWords& words, std::uint64_t clients,
                      const std::vector<std::uint32_t>& others, bool acker_registered);
// Files of binlogs that a rejoin has set aside, beside those whose path without its number is
// `base`: nothing else ever removes them.
Findings check_set_aside(const std::string& base);
// The server of a standby: whether a promotion could be carried out with it. `is_source`: this host
// is the source by its record, and none of this is checked.
Findings check_standby_server(const Config& config, bool is_source);
// What is unfinished by this host's own record. Pure.
Findings check_role(const RoleState& state);
// The device of a replica's journal: file system, O_DIRECT, a volatile cache, a thousand writes.
Findings check_disk(const Config& config);
// Cores, locked memory, ports, clock.
Findings check_host(const Config& config);
// What the rule tolerates, and what it needs for a promotion. Pure.
Findings check_quorum(const SourceConfig& source);

}  // namespace binlane

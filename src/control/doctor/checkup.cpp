#include "control/doctor/checkup.h"

#include <fmt/format.h>

#include "base/error.h"
#include "control/host_role.h"
#include "storage/durable_record.h"

namespace binlane {

const char* to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::fine:
      return "ok";
    case Severity::warning:
      return "warning";
    case Severity::fault:
      return "fault";
  }
  return "?";
}

namespace {

// By its record; a host that has none yet is what its configuration says.
bool is_source(const Config& config) {
  const std::string path = config.data_dir + "/role.state";
  const HostRole first = config.source->standby ? HostRole::standby : HostRole::source;
  if (!DurableRecord::exists(path)) return first == HostRole::source;
  try {
    return RoleFile(path, first).state().role == HostRole::source;
  } catch (const StartupError&) {
    return false;  // told by the daemon
  }
}

}  // namespace

Findings check_up(const Config& config) {
  Findings all;
  const auto add = [&all](Findings found) {
    all.insert(all.end(), std::make_move_iterator(found.begin()),
               std::make_move_iterator(found.end()));
  };
  for (const std::string& warning : config.warnings)
    all.push_back({Severity::warning, "config", warning, ""});
  if (config.source) {
    add(check_quorum(*config.source));
    add(check_server(*config.source));
  }
  if (config.source && config.replica) add(check_standby_server(config, is_source(config)));
  if (config.replica) add(check_disk(config));
  add(check_host(config));
  return all;
}

}  // namespace binlane

#include "control/doctor/checkup.h"

#include <fmt/format.h>

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
  if (config.replica) add(check_disk(config));
  add(check_host(config));
  return all;
}

}  // namespace binlane

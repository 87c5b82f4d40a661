#include "control/status/status_summary.h"

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>

#include "control/admin/json_view.h"

namespace binlane {

using nlohmann::json;

std::string status_summary(const json& status) {
  const json& source = status.contains("source") ? member(status, "source") : json();
  const json& replica = status.contains("replica") ? member(status, "replica") : json();
  std::string line;
  if (source.is_object() && text_of(source, "state") != "STANDBY") {
    std::size_t connected = 0;
    const json& replicas = member(source, "replicas");
    for (const json& each : replicas) connected += flag_of(each, "connected") ? 1 : 0;
    line = fmt::format("SOURCE {}, {} of {} replicas, epoch {}", text_of(source, "state"),
                       connected, replicas.size(), text_of(source, "epoch"));
  } else if (replica.is_object()) {
    line = fmt::format("REPLICA {}{}", text_of(replica, "state"),
                       flag_of(replica, "connected") ? "" : ", away from its source");
    const std::string name = text_of(replica, "source");
    if (!name.empty()) line += fmt::format(", source {}", name);
    line += fmt::format(", epoch {}", text_of(replica, "epoch"));
  } else {
    line = source.is_object() ? "SOURCE STANDBY" : "no section";
  }
  // The first is the worst; `binlane status` has them all.
  const std::vector<std::string> faults = status_faults(status);
  return faults.empty() ? line : fmt::format("{}; {}", line, faults.front());
}

std::vector<std::string> status_faults(const json& status) {
  const json& problems = member(status, "problems");
  if (!problems.is_array())
    return {"the daemon's status lists no problems: it is older than this program"};
  std::vector<std::string> faults;
  for (const json& problem : problems) {
    // Anything that is not called a warning is a fault, whatever a newer daemon may say.
    if (text_of(problem, "severity") != "warning")
      faults.push_back(fmt::format("{} ({})", text_of(problem, "text"), text_of(problem, "code")));
  }
  return faults;
}

}  // namespace binlane

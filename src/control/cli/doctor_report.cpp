#include "control/cli/doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "control/cli/ask.h"
#include "control/config/service_identity.h"
#include "control/doctor/checkup.h"

namespace binlane::cli {

int doctor(const Context& context, const std::string& config_path) {
  Config config;
  try {
    config = load_config(config_path);
  } catch (const StartupError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kExitError;
  }
  std::vector<HealthFinding> findings = check_up(config);
  if (const auto service = service_identity()) {
    for (const std::string& problem : unreadable_for(*service, config, config_path))
      findings.push_back({CheckSeverity::fault, "service", problem, ""});
  }
  CheckSeverity worst = CheckSeverity::fine;
  for (const HealthFinding& finding : findings) worst = std::max(worst, finding.severity);
  if (context.as_json) {
    json rows = json::array();
    for (const HealthFinding& finding : findings)
      rows.push_back({{"severity", to_string(finding.severity)},
                      {"topic", finding.topic},
                      {"found", finding.found},
                      {"remedy", finding.remedy}});
    print_json({{"worst", to_string(worst)}, {"findings", rows}});
  } else {
    for (const HealthFinding& finding : findings) {
      fmt::print("{:<7}  {:<12} {}\n", to_string(finding.severity), finding.topic, finding.found);
      if (!finding.remedy.empty()) fmt::print("{:<22} -> {}\n", "", finding.remedy);
    }
  }
  if (worst == CheckSeverity::fault) return kExitFaults;
  return worst == CheckSeverity::warning ? kExitWarnings : kExitOk;
}

}  // namespace binlane::cli

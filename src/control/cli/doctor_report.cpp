#include "control/cli/doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "binlane/admin.h"
#include "control/admin/admin_client.h"
#include "control/cli/ask.h"
#include "control/cli/installed_config.h"
#include "control/config/service_identity.h"
#include "control/doctor/checkup.h"

namespace binlane::cli {
namespace {

// Null if no binlaned answers there: a host is checked before its first start, too.
json status_of(const std::string& socket) {
  constexpr std::uint32_t kTimeoutMs = 2'000;
  AdminOutcome outcome = admin_request(socket, {{admin::kVerb, admin::kVerbStatus}}, kTimeoutMs);
  const auto* const status = std::get_if<json>(&outcome);
  return status != nullptr ? *status : json();
}

std::vector<HealthFinding> findings_of(const std::string& config_path) {
  Config config;
  try {
    config = load_config(config_path);
  } catch (const StartupError& error) {
    // Without it nothing else can be checked, and binlaned does not start.
    return {{CheckSeverity::fault, "config", error.what(), ""}};
  }
  std::vector<HealthFinding> findings = check_up(config, status_of(config.admin_socket));
  if (const auto service = service_identity()) {
    for (const std::string& problem : unreadable_for(*service, config, config_path))
      findings.push_back({CheckSeverity::fault, "service", problem, ""});
  }
  return findings;
}

}  // namespace

int doctor(const Context& context, const std::string& config_path) {
  const std::vector<HealthFinding> findings = findings_of(config_path);
  hint_at_other_config(context, config_path, "--config FILE");
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

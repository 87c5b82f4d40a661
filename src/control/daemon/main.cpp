// binlaned: the daemon beside a MySQL or MariaDB server.

#include <fmt/format.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "control/admin/admin_server.h"
#include "control/config/config.h"
#include "control/config/configuration_error.h"
#include "control/config/service_identity.h"
#include "control/daemon/daemon.h"
#include "control/daemon/daemon_status.h"
#include "control/daemon/handlers_daemon.h"
#include "control/daemon/service_notifier.h"
#include "control/daemon/settings.h"
#include "control/status/metrics_endpoint.h"
#include "control/status/status_summary.h"

namespace binlane {
namespace {

// Exit codes of binlaned.
constexpr int kExitOk = 0;
constexpr int kExitStartup = 1;  // the message says why
constexpr int kExitUsage = 2;
// The configuration is wrong (EX_CONFIG of sysexits.h): the unit does not start the daemon again.
constexpr int kExitConfiguration = 78;

sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  // All threads inherit this; only the main thread waits for them.
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // A write beyond a file-size limit (ulimit -f, LimitFSIZE=) then fails with EFBIG, which is
  // handled like any failed write, instead of ending the daemon.
  ::signal(SIGXFSZ, SIG_IGN);
  return signals;
}

// The id of the group that a key names; nothing if it names none.
std::optional<gid_t> group_of(const char* key, const std::string& name) {
  if (name.empty()) return std::nullopt;
  errno = 0;
  const ::group* const found = ::getgrnam(name.c_str());
  if (found == nullptr)
    throw ConfigurationError(fmt::format("{}: there is no group \"{}\"", key, name));
  return found->gr_gid;
}

void take_file_anew(Settings& settings) {
  const auto done = settings.reload();
  if (const auto* problem = std::get_if<std::string>(&done)) {
    log::error("reload", "nothing was changed: {}", *problem);
    return;
  }
  const auto& result = std::get<Settings::Reloaded>(done);
  for (const ConfigProblem& problem : result.refused)
    log::error("reload", "{} remains as it was: {}", problem.field, problem.message);
  log::info("reload", "in force now: [{}]; at the next start: [{}]",
            fmt::join(result.changed, ", "), fmt::join(result.need_restart, ", "));
}

// Waits for a signal that ends the daemon, and returns it.
int serve_signals(const sigset_t& signals, Settings& settings, AuditLog& audit,
                  ServiceNotifier& notifier) {
  for (;;) {
    int received = 0;
    ::sigwait(&signals, &received);
    if (received != SIGHUP) return received;
    notifier.reloading();
    take_file_anew(settings);
    audit.reopen();
    notifier.ready();
  }
}

int run(const Config& config, const std::string& path) {
  const sigset_t signals = block_end_signals();
  log::set_format(config.log_format);
  log::set_level(config.log_level);
  for (const std::string& warning : config.warnings) log::warning("configuration", "{}", warning);
  const auto operators = group_of("admin_group", config.admin_group);
  const auto viewers = group_of("view_group", config.view_group);
  Daemon daemon(config);
  Settings settings(config, path, daemon.source_control(), daemon.replica());
  AdminServer admin_server(config.admin_socket);
  admin_server.on_audit([&daemon](const AuditEntry& entry) { return daemon.audit().write(entry); });
  if (operators) admin_server.set_operator_group(*operators);
  if (viewers) admin_server.set_view_group(*viewers);
  register_verbs(admin_server, daemon, settings);
  std::optional<MetricsEndpoint> metrics;
  if (!config.metrics_listen.empty())
    metrics.emplace(config.metrics_listen, [&] { return metrics_status(daemon, settings); });
  daemon.watch("admin", admin_server.heartbeat());
  admin_server.start();
  log::info("started", "binlaned {} ({}) is up; admin socket {}", config.name, config.cluster,
            config.admin_socket);
  ServiceNotifier notifier(
      [&daemon] { return daemon.threads(); },
      [&] { return status_summary(daemon_status(*settings.current(), daemon)); });
  notifier.ready();
  const int received = serve_signals(signals, settings, daemon.audit(), notifier);
  log::info("stopping", "signal {}: ending", received);
  admin_server.stop();
  return kExitOk;
}

// Root, who checks a configuration by hand, may read what the installed daemon may not.
void check_for_service(const Config& config, const std::string& path) {
  const auto service = service_identity();
  if (!service) return;
  const auto problems = unreadable_for(*service, config, path);
  if (!problems.empty()) throw ConfigurationError(fmt::format("{}", fmt::join(problems, "\n")));
}

// Says why on standard error and, under systemd, where `systemctl status` shows it. Returns `code`.
int not_started(int code, const std::string& why) {
  fmt::print(stderr, "binlaned: {}\n", why);
  ServiceNotifier::last_words(why);
  return code;
}

}  // namespace
}  // namespace binlane

int main(int argc, char** argv) {
  CLI::App app(
      "The Binlane daemon. It ships a source's binlog to its replicas' stable storage, and then "
      "acknowledges the source's semi-synchronous commits.");
  std::string path;
  bool print = false;
  bool check = false;
  app.add_option("--config", path, "configuration file (TOML)")->required();
  app.add_flag("--print-config", print,
               "print the effective configuration, with unit and reason of every key");
  app.add_flag("--check-config", check, "check the configuration and exit");
  app.set_version_flag("--version", BINLANE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? binlane::kExitOk : binlane::kExitUsage;
  }
  int code = binlane::kExitOk;
  try {
    const binlane::Config config = binlane::load_config(path);
    if (print) {
      std::fputs(binlane::print_config(config).c_str(), stdout);
    } else if (check) {
      binlane::check_for_service(config, path);
      fmt::print("{}: no errors\n", path);
    } else {
      code = binlane::run(config, path);
    }
  } catch (const binlane::ConfigurationError& error) {
    code = binlane::not_started(binlane::kExitConfiguration, error.what());
  } catch (const binlane::StartupError& error) {
    code = binlane::not_started(binlane::kExitStartup, error.what());
  } catch (const std::exception& error) {
    code =
        binlane::not_started(binlane::kExitStartup, fmt::format("cannot start: {}", error.what()));
  }
  std::fflush(nullptr);
  // A blocked plug-in cannot be ended, and a vhost-user device panics when it is closed after a
  // reconnect (dataplane/port/eal.h). So once everything durable is done the process ends without
  // unwinding EAL.
  ::_exit(code);
}

// binlaned: the daemon beside a MySQL or MariaDB server.

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "binlane/admin.h"
#include "control/admin_server.h"
#include "control/config.h"
#include "control/daemon.h"
#include "control/daemon_role.h"
#include "control/daemon_status.h"
#include "control/verdict_files.h"

namespace binlane {
namespace {

// Exit codes of binlaned.
constexpr int kExitOk = 0;
constexpr int kExitStartup = 1;  // the message says why
constexpr int kExitUsage = 2;

sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // All threads inherit this; the main thread alone waits for them.
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int run(const Config& config) {
  const sigset_t signals = block_end_signals();
  log::set_level(config.log_level);
  for (const std::string& warning : config.warnings) log::warning("configuration", "{}", warning);
  Daemon daemon(config);
  AdminServer admin_server(config.admin_socket);
  admin_server.on(admin::kVerbStatus, [&](const nlohmann::json&, const AdminPeer&) -> AdminReply {
    return daemon_status(config, daemon);
  });
  admin_server.on(admin::kVerbPromote, [&](const nlohmann::json& request, const AdminPeer&) {
    return ask_promotion(config, daemon, request);
  });
  admin_server.on(admin::kVerbPromotion,
                  [&](const nlohmann::json&, const AdminPeer&) -> AdminReply {
                    return promotion_status(daemon);
                  });
  admin_server.on(admin::kVerbRejoin, [&](const nlohmann::json& request, const AdminPeer&) {
    return ask_rejoin(daemon, request);
  });
  admin_server.on(
      admin::kVerbRejoining,
      [&](const nlohmann::json&, const AdminPeer&) -> AdminReply { return rejoin_status(daemon); });
  admin_server.on(admin::kVerbVerdict, [&](const nlohmann::json& request, const AdminPeer&) {
    return give_verdict(config, daemon, request);
  });
  admin_server.start();
  log::info("started", "binlaned {} ({}) is up; admin socket {}", config.name, config.cluster,
            config.admin_socket);
  int received = 0;
  ::sigwait(&signals, &received);
  log::info("stopping", "signal {}: ending", received);
  admin_server.stop();
  return kExitOk;
}

}  // namespace
}  // namespace binlane

int main(int argc, char** argv) {
  CLI::App app(
      "The Binlane daemon: ships a source's binlog to its replicas' stable storage, and ends the "
      "wait of "
      "semi-synchronous commits.");
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
      fmt::print("{}: no errors\n", path);
    } else {
      code = binlane::run(config);
    }
  } catch (const binlane::StartupError& error) {
    fmt::print(stderr, "binlaned: {}\n", error.what());
    code = binlane::kExitStartup;
  } catch (const std::exception& error) {
    fmt::print(stderr, "binlaned: cannot start: {}\n", error.what());
    code = binlane::kExitStartup;
  }
  std::fflush(nullptr);
  // A blocked plug-in cannot be ended, and a vhost-user device panics when it is closed after a
  // reconnect (dataplane/ eal.h): once everything durable is done the process leaves without
  // unwinding EAL.
  ::_exit(code);
}

#include "load.h"

#include <fmt/format.h>
#include <mysql.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "acknowledged_log.h"
#include "base/clock.h"
#include "base/error.h"
#include "load_client.h"
#include "load_schema.h"

namespace binlane::bench {
namespace {

// How often the reporting thread checks for the end of the run.
constexpr std::uint64_t kLook_ns = 50 * kNanosPerMilli;

using Json = nlohmann::ordered_json;

void create_schema(const LoadOptions& options) {
  const std::unique_ptr<MYSQL, decltype(&mysql_close)> connection(mysql_init(nullptr),
                                                                  &mysql_close);
  const auto check = [&connection, &options](bool good, const char* what) {
    if (good) return;
    throw StartupError(
        fmt::format("load: {} at {}: {}", what, options.socket, mysql_error(connection.get())));
  };
  const unsigned timeout_s = options.response_timeout_s;
  mysql_options(connection.get(), MYSQL_OPT_READ_TIMEOUT, &timeout_s);
  check(
      mysql_real_connect(connection.get(), nullptr, options.user.c_str(), options.password.c_str(),
                         nullptr, 0, options.socket.c_str(), 0) != nullptr,
      "cannot connect");
  check(mysql_query(connection.get(), kCreateDatabase) == 0, "cannot create the database");
  check(mysql_query(connection.get(), kCreateTable) == 0, "cannot create the table");
  if (!options.hot_row) return;
  check(mysql_query(connection.get(), kCreateHotTable) == 0, "cannot create the hot row's table");
  check(mysql_query(connection.get(), kCreateHotRow) == 0, "cannot create the hot row");
}

bool exists(const std::string& path) {
  struct stat status {};
  return !path.empty() && ::stat(path.c_str(), &status) == 0;
}

Json latencies(const LoadCounts& counts) {
  const Histogram& latency = counts.latency_ns;
  return Json{{"commits", counts.commits},
              {"rows", counts.rows},
              {"p50_us", to_micros(latency.quantile(0.50))},
              {"p99_us", to_micros(latency.quantile(0.99))},
              {"p999_us", to_micros(latency.quantile(0.999))},
              {"max_us", to_micros(latency.max())},
              {"errors", counts.errors},
              {"reconnects", counts.reconnects}};
}

void print_line(const Json& line) {
  std::puts(line.dump().c_str());
  std::fflush(stdout);
}

class Reporter {
 public:
  Reporter(const LoadOptions& options, const std::vector<std::unique_ptr<LoadClient>>& clients)
      : options_(options), clients_(clients), begun_ns_(monotonic_ns()) {}

  std::uint64_t elapsed_ns() const { return monotonic_ns() - begun_ns_; }

  void report_second() {
    const LoadCounts second = collect();
    Json line{{"second", ++seconds_}};
    line.update(latencies(second));
    if (!second.last_error.empty()) line["last_error"] = second.last_error;
    print_line(line);
  }

  void report_summary(std::uint32_t gave_up) {
    static_cast<void>(collect());
    Json summary{{"summary", true},
                 {"seconds", static_cast<double>(elapsed_ns()) / kNanosPerSecond},
                 {"clients", options_.clients},
                 {"clients_that_gave_up", gave_up}};
    summary.update(latencies(total_));
    summary["commits_per_second"] =
        static_cast<double>(total_.commits) / summary["seconds"].get<double>();
    if (!total_.last_error.empty()) summary["last_error"] = total_.last_error;
    print_line(summary);
    if (options_.json_path.empty()) return;
    std::ofstream file(options_.json_path);
    file << summary.dump(2) << '\n';
    if (!file.flush()) throw StartupError("load: cannot write " + options_.json_path);
  }

 private:
  LoadCounts collect() {
    LoadCounts fresh;
    for (const auto& client : clients_) client->take_counts(&fresh);
    total_.merge(fresh);
    return fresh;
  }

  const LoadOptions& options_;
  const std::vector<std::unique_ptr<LoadClient>>& clients_;
  const std::uint64_t begun_ns_;
  std::uint64_t seconds_ = 0;
  LoadCounts total_;
};

// Waits for the end of the run: by time, by a signal, by the stop file, or because every client has
// returned (a limit on transactions, or all gave up).
void watch(const LoadOptions& options, const sigset_t& signals,
           const std::atomic<std::uint32_t>& running, Reporter& reporter) {
  const timespec look{0, static_cast<long>(kLook_ns)};
  std::uint64_t next_report_ns = kNanosPerSecond;
  const std::uint64_t end_ns = options.seconds * kNanosPerSecond;
  while (running.load() > 0) {
    if (::sigtimedwait(&signals, nullptr, &look) > 0) return;
    if (exists(options.stop_file)) return;
    const std::uint64_t now_ns = reporter.elapsed_ns();
    if (now_ns >= next_report_ns) {
      reporter.report_second();
      next_report_ns += kNanosPerSecond;
    }
    if (end_ns > 0 && now_ns >= end_ns) return;
  }
}

}  // namespace

int run_load(const LoadOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (mysql_library_init(0, nullptr, nullptr) != 0) throw StartupError("load: no client library");

  create_schema(options);
  const AcknowledgedLog log(options.acknowledged_path);
  LoadControl control;
  control.budget = static_cast<std::int64_t>(options.transactions);
  std::vector<std::unique_ptr<LoadClient>> clients;
  for (std::uint32_t i = 0; i < options.clients; ++i) {
    clients.push_back(
        std::make_unique<LoadClient>(options, options.first_client + i, log, control));
  }
  std::atomic<std::uint32_t> running{options.clients};
  Reporter reporter(options, clients);
  std::vector<std::thread> threads;
  threads.reserve(clients.size());
  for (const auto& client : clients) {
    threads.emplace_back([&client, &running] {
      client->run();
      running.fetch_sub(1);
    });
  }
  watch(options, signals, running, reporter);
  control.stop = true;
  for (std::thread& thread : threads) thread.join();
  reporter.report_summary(control.gave_up.load());
  mysql_library_end();
  return control.gave_up.load() == 0 ? 0 : 1;
}

}  // namespace binlane::bench

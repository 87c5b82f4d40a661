// binlane-sim: runs seeds of the simulator, in as many processes as there are cores.
//
// If a worker dies (by an assertion), only its seed is lost: the seed is reported like any
// violation, and another worker continues after it.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <new>
#include <stdexcept>
#include <vector>

#include "base/log.h"
#include "commit.h"
#include "report.h"
#include "violation.h"
#include "world.h"

namespace binlane::sim {
namespace {

struct Options {
  std::uint64_t seeds = 100;
  std::uint64_t first = 1;
  unsigned jobs = 0;
  std::uint64_t repeat = 20;  // one seed in this many is run twice
  bool print = false;
  std::string server;  // empty: the seed decides
  std::string json;
};

RunResult run_seed(std::uint64_t seed, const std::string& server, bool print) {
  RunResult result;
  result.seed = seed;
  WorldOptions options = options_of_seed(seed);
  options.print = print;
  if (const auto kind = parse_server_kind(server)) options.server.kind = *kind;
  World world(options);
  try {
    world.run();
  } catch (const std::exception& violation) {
    result.violation = violation.what();
  }
  result.hash = world.trace().hash();
  result.virtual_ns = world.virtual_ns();
  result.faults = world.fault_counts();
  result.checks = world.checks().counts();
  result.promotions = world.promotion_counts();
  result.settings = world.setting_counts();
  result.temperament = world.temperament_counts();
  result.server = options.server.kind;
  result.orders_commits = options.server.orders_commits;
  result.mode = options.mode;
  result.holds = options.degraded_release == DegradedRelease::hold;
  result.promotion_asked = world.candidate() != nullptr;
  result.promoted = world.promoted();
  return result;
}

// The hash of the trace of the same seed in another process; 0 if that process died. The repetition
// needs another process, because a trace that depends on the process (its number, an address) would
// be the same twice in one process, but nobody could repeat it.
std::uint64_t hash_elsewhere(std::uint64_t seed, const std::string& server) {
  int pipe[2];
  if (::pipe(pipe) != 0) throw std::runtime_error("no pipe for the second run of a seed");
  std::fflush(nullptr);
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("no process for the second run of a seed");
  if (process == 0) {
    const std::uint64_t hash = run_seed(seed, server, false).hash;
    const bool told = ::write(pipe[1], &hash, sizeof hash) == sizeof hash;
    ::_exit(told ? 0 : 1);
  }
  ::close(pipe[1]);
  std::uint64_t hash = 0;
  if (::read(pipe[0], &hash, sizeof hash) != sizeof hash) hash = 0;
  ::close(pipe[0]);
  ::waitpid(process, nullptr, 0);
  return hash;
}

// Runs the seeds first, first + step, … that are below end.
void work(const Options& options, std::uint64_t first, std::uint64_t step, Report& report) {
  const std::uint64_t end = options.first + options.seeds;
  for (std::uint64_t seed = first; seed < end; seed += step) {
    report.running = seed;
    const RunResult result = run_seed(seed, options.server, options.print);
    report.add(result);
    if (!result.violation.empty()) fmt::print(stderr, "seed {}: {}\n", seed, result.violation);
    if (seed % options.repeat == 0) {
      ++report.repeated;
      if (hash_elsewhere(seed, options.server) != result.hash) {
        ++report.not_the_same;
        report.add_failure(seed, "the second run of this seed went differently");
      }
    }
    report.running = 0;
  }
}

struct Worker {
  Report* report = nullptr;  // in memory that is shared with the child
  pid_t process = -1;
  std::uint64_t next = 0;
};

void launch(const Options& options, std::uint64_t step, Worker& worker) {
  std::fflush(nullptr);
  worker.process = ::fork();
  if (worker.process != 0) return;
  work(options, worker.next, step, *worker.report);
  std::fflush(nullptr);
  ::_exit(0);
}

Report run_workers(const Options& options) {
  const std::uint64_t jobs = options.jobs;
  std::vector<Worker> workers(jobs);
  for (std::uint64_t i = 0; i < jobs; ++i) {
    void* const memory =
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    workers[i].report = new (memory) Report();
    workers[i].next = options.first + i;
    launch(options, jobs, workers[i]);
  }
  Report total;
  for (Worker& worker : workers) {
    for (;;) {
      int status = 0;
      if (::waitpid(worker.process, &status, 0) < 0) break;
      Report& report = *worker.report;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
      const std::uint64_t seed = report.running;
      fmt::print(stderr, "seed {} ended by signal {}\n", seed,
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
      if (seed == 0) throw std::runtime_error("a worker died between two seeds");
      ++report.seeds;
      report.add_failure(seed, fmt::format("the run ended by signal {} (an assertion?)",
                                           WIFSIGNALED(status) ? WTERMSIG(status) : 0));
      worker.next = seed + jobs;
      launch(options, jobs, worker);
    }
    total.add(*worker.report);
    ::munmap(worker.report, sizeof(Report));
  }
  return total;
}

void show(const Report& report, const std::string& server) {
  std::vector<FailedSeed> failed(
      report.failed.begin(), report.failed.begin() + static_cast<std::ptrdiff_t>(report.failures));
  std::sort(failed.begin(), failed.end(),
            [](const FailedSeed& a, const FailedSeed& b) { return a.seed < b.seed; });
  for (const FailedSeed& failure : failed)
    fmt::print("seed {} (commit {}): {}\n  again: ./dev sim --seeds 1 --seed {}{} --print\n",
               failure.seed, BINLANE_COMMIT, failure.what, failure.seed,
               server.empty() ? "" : " --server " + server);
  fmt::print(
      "{} seeds, {:.2f} simulated hours, {} violations, {} of {} pairs of faults, {} seeds run "
      "twice ({} differed), trace {:016x}\n",
      report.seeds, static_cast<double>(report.virtual_ns / kNanosPerMilli) / (3600.0 * 1000.0),
      report.violations, report.pairs_seen(), Report::pairs_total(), report.repeated,
      report.not_the_same, report.hash);
  for (std::size_t i = 0; i < kServerKinds; ++i)
    fmt::print("{}{} {}", i == 0 ? "runs with " : ", ", to_string(static_cast<ServerKind>(i)),
               report.servers[i]);
  fmt::print("\n");
}

int run(int count, char** arguments) {
  Options options;
  CLI::App app("Runs Binlane's production code in a simulated cluster, seed by seed.");
  app.add_option("--seeds", options.seeds, "how many")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.first, "the first one")->check(CLI::PositiveNumber);
  app.add_option("--jobs", options.jobs, "processes; 0: one for each core");
  app.add_option("--repeat", options.repeat, "run one seed in so many twice, and compare")
      ->check(CLI::PositiveNumber);
  app.add_option("--server", options.server,
                 "mariadb, mysql or mariadb:11.8, in all runs; else the seed decides")
      ->check(CLI::IsMember({"mariadb", "mysql", "mariadb:11.8"}));
  app.add_flag("--print", options.print, "print everything that happens");
  app.add_option("--json", options.json, "write the report there");
  CLI11_PARSE(app, count, arguments);
  if (options.jobs == 0)
    options.jobs = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  if (options.print) options.jobs = 1;
  options.jobs = static_cast<unsigned>(std::min<std::uint64_t>(options.jobs, options.seeds));
  const Report report = run_workers(options);
  show(report, options.server);
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << report.to_json();
    if (!file.flush()) {
      fmt::print(stderr, "cannot write {}\n", options.json);
      return 2;
    }
  }
  return report.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace binlane::sim

int main(int count, char** arguments) {
  return binlane::sim::run(count, arguments);
}

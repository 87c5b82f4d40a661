// binlane-bench: the latency suite. One subcommand a question; each sets up CLI11 options for its
// own options struct and returns the process's exit status.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "base/error.h"
#include "load.h"

namespace {

using binlane::bench::LoadOptions;

void add_load(CLI::App& app, LoadOptions& options, std::function<int()>& run) {
  CLI::App* load = app.add_subcommand(
      "load", "Commit numbered rows from many clients; print a JSON line a second and a summary.");
  load->add_option("--socket", options.socket, "Unix socket of the server")->required();
  load->add_option("--user", options.user, "User of the server")->capture_default_str();
  load->add_option("--password", options.password, "Password of the user");
  load->add_option("--clients", options.clients, "Clients, one connection and thread each")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  load->add_option("--first-client", options.first_client, "Number of the first client")
      ->capture_default_str();
  load->add_option("--seconds", options.seconds, "Length of the run; 0: until stopped")
      ->capture_default_str();
  load->add_option("--transactions", options.transactions,
                   "Transactions of all clients together; 0: no limit")
      ->capture_default_str();
  load->add_option("--rows-per-transaction", options.rows_per_transaction,
                   "Rows in a transaction; several counts, separated by commas, take turns")
      ->delimiter(',')
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  load->add_option("--payload-bytes", options.payload_bytes, "Bytes of payload in a row")
      ->check(CLI::Range(1, 16'000'000))
      ->capture_default_str();
  CLI::Option* rate =
      load->add_option("--rate", options.rate,
                       "Transactions begun per second, latency counted from when each was due; 0: "
                       "each client begins the next when the last one ended")
          ->check(CLI::NonNegativeNumber)
          ->capture_default_str();
  load->add_option("--pace", options.pace,
                   "Like --rate, but what a stalled client missed is left out, and latency counts "
                   "from when a transaction began")
      ->check(CLI::NonNegativeNumber)
      ->excludes(rate)
      ->capture_default_str();
  load->add_option("--response-timeout", options.response_timeout_s,
                   "Seconds to wait for an answer of the server")
      ->capture_default_str();
  load->add_option("--failures-max", options.failures_max,
                   "Failures in a row after which a client gives up")
      ->capture_default_str();
  load->add_option("--json", options.json_path, "File for the summary");
  load->add_option("--acknowledged", options.acknowledged_path,
                   "File that receives a line for every committed transaction");
  load->add_option("--stop-file", options.stop_file, "The run ends when this file exists");
  load->callback([&options, &run] { run = [&options] { return run_load(options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Latency suite of Binlane", "binlane-bench"};
  app.require_subcommand(1);
  LoadOptions load;
  std::function<int()> run;
  add_load(app, load, run);
  CLI11_PARSE(app, argc, argv);
  try {
    return run();
  } catch (const binlane::StartupError& error) {
    std::fprintf(stderr, "binlane-bench: %s\n", error.what());
    return 1;
  }
}

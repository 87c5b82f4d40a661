// binlane-bench: the latency suite. One subcommand a question; each sets up CLI11 options for its
// own options struct and returns the process's exit status.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "catchup.h"
#include "dataplane/port/eal.h"
#include "journal.h"
#include "load.h"
#include "transport.h"

namespace {

using binlane::IdleMode;
using binlane::bench::CatchUpOptions;
using binlane::bench::JournalOptions;
using binlane::bench::LoadOptions;
using binlane::bench::TransportOptions;

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
  CLI::Option* rows =
      load->add_option("--rows-per-transaction", options.rows_per_transaction,
                       "Rows in a transaction; several counts, separated by commas, take turns");
  rows->delimiter(',')->check(CLI::Range(1, 10'000'000))->capture_default_str();
  load->add_option("--payload-bytes", options.payload_bytes, "Bytes of payload in a row")
      ->check(CLI::Range(1, 16'000'000))
      ->capture_default_str();
  CLI::Option* hot =
      load->add_flag("--hot-row", options.hot_row, "Every transaction updates the one same row")
          ->excludes(rows);
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
                   "File that receives a line for every committed transaction")
      ->excludes(hot);
  load->add_option("--stop-file", options.stop_file, "The run ends when this file exists");
  load->callback([&options, &run] { run = [&options] { return run_load(options); }; });
}

const std::map<std::string, IdleMode> kIdleNames = {{"auto", IdleMode::automatic},
                                                    {"spin", IdleMode::spin},
                                                    {"yield", IdleMode::yield},
                                                    {"nap", IdleMode::nap}};

// What every measurement has.
template <class Options>
void add_common(CLI::App& app, Options& options) {
  app.add_option("--rounds", options.rounds, "Rounds; each measures everything once")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Length of one measurement")
      ->check(CLI::Range(0.05, 600.0))
      ->capture_default_str();
  app.add_option("--idle", options.idle, "What an end does between empty turns")
      ->transform(CLI::CheckedTransformer(kIdleNames));
  app.add_option("--json", options.json_path, "File for the rows; standard output if not given");
}

void add_rounds(CLI::App& app, TransportOptions& options) {
  add_common(app, options);
  app.add_option("--bytes", options.bytes, "Bytes of a commit, or a frame")
      ->delimiter(',')
      ->check(CLI::Range(14, 1376))
      ->capture_default_str();
  app.add_option("--ports", options.ports, "vhost, udp; separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember({"vhost", "udp"}))
      ->capture_default_str();
}

void add_transport(CLI::App& app, TransportOptions& options, std::function<int()>& run) {
  CLI::App* transport = app.add_subcommand(
      "transport",
      "Round trips of level `received`, beside raw DPDK and the kernel's UDP and TCP.");
  add_rounds(*transport, options);
  transport->callback([&options, &run] { run = [&options] { return run_transport(options); }; });
}

void add_loss(CLI::App& app, TransportOptions& options, std::function<int()>& run) {
  CLI::App* loss = app.add_subcommand("loss", "Round trips and repairs at several losses.");
  add_rounds(*loss, options);
  loss->add_option("--loss", options.loss_percent, "Losses in percent, of both directions")
      ->delimiter(',')
      ->check(CLI::Range(0.0, 50.0))
      ->capture_default_str();
  loss->callback([&options, &run] { run = [&options] { return run_loss(options); }; });
}

// What journal and catchup have in common.
template <class Options>
void add_storage(CLI::App& app, Options& options) {
  add_common(app, options);
  app.add_option("--folder", options.folder, "Where the journal is made and removed again")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--blocks", options.blocks, "Blocks of the journal's ring")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
}

void add_journal(CLI::App& app, JournalOptions& options, std::function<int()>& run) {
  CLI::App* journal =
      app.add_subcommand("journal", "Durable appends of 4 KiB, beside a bare io_uring loop.");
  add_storage(*journal, options);
  journal->callback([&options, &run] { run = [&options] { return run_journal(options); }; });
}

void add_catchup(CLI::App& app, CatchUpOptions& options, std::function<int()>& run) {
  CLI::App* catchup = app.add_subcommand(
      "catchup", "Bytes per second through wire and journal, beside port and device alone.");
  add_storage(*catchup, options);
  catchup->callback([&options, &run] { run = [&options] { return run_catchup(options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Latency suite of Binlane", "binlane-bench"};
  app.require_subcommand(1);
  LoadOptions load;
  std::function<int()> run;
  add_load(app, load, run);
  TransportOptions transport;
  add_transport(app, transport, run);
  TransportOptions loss;
  loss.bytes = {256};
  loss.ports = {"vhost"};
  add_loss(app, loss, run);
  JournalOptions journal;
  add_journal(app, journal, run);
  CatchUpOptions catchup;
  add_catchup(app, catchup, run);
  CLI11_PARSE(app, argc, argv);
  int code = 1;
  try {
    code = run();
  } catch (const binlane::StartupError& error) {
    std::fprintf(stderr, "binlane-bench: %s\n", error.what());
  }
  std::fflush(nullptr);
  if (binlane::eal_running()) ::_exit(code);  // see eal.h
  return code;
}

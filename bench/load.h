// run_load: commits of numbered rows against a MariaDB or MySQL server, from many clients, through
// lost connections, with every acknowledged row on record.
//
// One thread and one connection a client. The caller's thread reports: one JSON line a second, and
// a summary at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace binlane::bench {

struct LoadOptions {
  std::string socket;
  std::string user = "root";
  std::string password;
  std::uint32_t clients = 4;
  // Of all clients together: client numbers start here, so that two loads may share the table.
  std::uint32_t first_client = 0;
  // 0: until stopped.
  std::uint32_t seconds = 0;
  // 0: until stopped. Counts committed transactions of all clients.
  std::uint64_t transactions = 0;
  // A client's transactions take these row counts in turn.
  std::vector<std::uint32_t> rows_per_transaction = {1};
  std::uint32_t payload_bytes = 100;
  // Every transaction updates the one same row instead: commits then wait for each other's locks.
  // No numbered row is written, so there is nothing to keep in an acknowledged log.
  bool hot_row = false;
  // Transactions begun per second over all clients; 0: each client begins the next when the last
  // one ended. With a rate, latency counts from the moment a transaction was due.
  double rate = 0;
  // As rate, but a client that is late leaves out what it missed, and latency counts from the
  // moment a transaction began: for a background load of known size. 0: no limit.
  double pace = 0;
  // Of one statement on the wire; longer than any wait for a quorum should be.
  std::uint32_t response_timeout_s = 60;
  // Consecutive failures (lost connections included) after which a client gives up.
  std::uint32_t failures_max = 600;
  std::string json_path;
  std::string acknowledged_path;
  std::string stop_file;
};

// The process's exit status: 0 when every client ran to the end, 1 otherwise. Throws StartupError
// when the load cannot begin at all. Blocks SIGINT and SIGTERM in the calling thread and takes
// them as "end cleanly".
int run_load(const LoadOptions& options);

}  // namespace binlane::bench

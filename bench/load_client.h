// LoadClient: one client of the load, one thread, one connection.
//
// It never reuses a sequence number: a transaction that failed in any way remains "in doubt" in the
// record, and the client continues with the next numbers. Counters are read by the reporting
// thread.
#pragma once

#include <mysql.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "acknowledged_log.h"
#include "histogram.h"
#include "load.h"

namespace binlane::bench {

// What a client counted since it was last asked.
struct LoadCounts {
  Histogram latency_ns;
  std::uint64_t commits = 0;
  std::uint64_t rows = 0;
  std::uint64_t errors = 0;
  std::uint64_t reconnects = 0;
  std::string last_error;

  void merge(const LoadCounts& other);
};

// Shared by all clients of one run.
struct LoadControl {
  std::atomic<bool> stop{false};
  // Transactions that may still begin; only used when LoadOptions.transactions limits the run.
  std::atomic<std::int64_t> budget{0};
  // Clients that gave up; the run then fails.
  std::atomic<std::uint32_t> gave_up{0};
};

class LoadClient {
 public:
  LoadClient(const LoadOptions& options, std::uint32_t client, const AcknowledgedLog& log,
             LoadControl& control);

  // The client's thread.
  void run();
  // Adds what was counted since the last call, and forgets it. From the reporting thread.
  void take_counts(LoadCounts* total);

 private:
  struct Disconnect {
    void operator()(MYSQL* connection) const { mysql_close(connection); }
  };

  bool connect();
  bool find_next_sequence();
  bool execute(const std::string& statement);
  bool insert_rows(std::uint32_t rows);
  void append_row(std::string* statement, std::uint64_t sequence) const;
  // False if this client cannot continue.
  bool one_transaction(std::uint64_t due_ns, std::uint32_t rows);
  // Counts a failure, waits a little, and says whether the client may try again.
  bool after_failure(const std::string& error);
  bool pause(std::uint64_t until_ns) const;

  const LoadOptions& options_;
  const std::uint32_t client_;
  const AcknowledgedLog& log_;
  LoadControl& control_;
  std::string payload_;
  std::unique_ptr<MYSQL, Disconnect> connection_;
  bool next_sequence_known_ = false;
  bool connected_before_ = false;
  std::uint64_t next_sequence_ = 0;
  std::uint32_t failures_in_a_row_ = 0;

  std::mutex counts_mutex_;
  LoadCounts counts_;
};

}  // namespace binlane::bench

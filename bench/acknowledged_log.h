// AcknowledgedLog: a record of what the server told the clients, durable enough for a kill -9.
//
// One line per transaction whose COMMIT returned OK, "client first_sequence rows begun_ns ok_ns"
// (CLOCK_MONOTONIC), written with one O_APPEND write(2) before the client continues. So the file
// survives a kill -9 of the load, and lines of several clients never mix. A line "? client
// first_sequence rows begun_ns lost_ns" marks a transaction whose outcome the client never learnt.
// Safe from any thread.
#pragma once

#include <cstdint>
#include <string>

namespace binlane::bench {

struct Transaction {
  std::uint32_t client = 0;
  std::uint64_t first_sequence = 0;
  std::uint32_t rows = 0;
  std::uint64_t begun_ns = 0;
  std::uint64_t ended_ns = 0;
};

class AcknowledgedLog {
 public:
  // An empty path keeps nothing. Throws StartupError when the file cannot be opened.
  explicit AcknowledgedLog(const std::string& path);
  ~AcknowledgedLog();
  AcknowledgedLog(const AcknowledgedLog&) = delete;
  AcknowledgedLog& operator=(const AcknowledgedLog&) = delete;

  // False when the line could not be written whole: the run's record is then worthless, and the
  // caller ends the run.
  [[nodiscard]] bool acknowledged(const Transaction& transaction) const noexcept;
  [[nodiscard]] bool in_doubt(const Transaction& transaction) const noexcept;

 private:
  bool append(const char* mark, const Transaction& transaction) const noexcept;

  int fd_ = -1;
};

}  // namespace binlane::bench

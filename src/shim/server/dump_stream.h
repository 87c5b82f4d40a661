// DumpStream: a binlog dump connection to the source's server, as one of its semi-sync replicas.
//
// libmariadb logs in and runs the registering SETs; then the socket is ours: COM_REGISTER_SLAVE,
// COM_BINLOG_DUMP, and all reading from there on (libmariadb's own replication reader acknowledges
// events before its caller has seen them). Errors are values. Belongs to the drain thread; only
// interrupt() may come from another.
//
// Asking for a position says "I have everything before it": the server takes the registration for
// an ACK of that position (safety rule S3). Choose it accordingly.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "shim/dump_parser.h"
#include "shim/server_connection.h"
#include "shim/server_facts.h"

namespace binlane {

struct DumpStreamOptions {
  std::uint32_t server_id = 0;  // of the replica we appear as; unique among all replicas
  // The server says "still here" after this long without an event.
  std::uint64_t heartbeat_period_ms = 1000;
  // Nothing at all for this long: the connection is taken for dead.
  std::uint64_t read_timeout_ms = 10'000;
  bool semi_sync = true;
};

enum class DumpErrorKind {
  none,
  connection,    // could not log in, or the socket failed
  refused,       // the server answered a statement or command with an error
  closed,        // the server closed the connection, or interrupt() did
  ended,         // EOF packet
  server_error,  // an error packet within the stream
  malformed,     // bytes that make no sense
  timeout,       // no byte within read_timeout_ms
};

struct DumpError {
  DumpErrorKind kind = DumpErrorKind::none;
  std::uint32_t code = 0;  // the server's, where it gave one
  std::string text;

  bool ok() const noexcept { return kind == DumpErrorKind::none; }
};

// Error codes that decide what to do next; both servers use these numbers.
inline constexpr std::uint32_t kErrorFatalReadingBinlog = 1236;
inline constexpr std::uint32_t kErrorSameServerId = 4052;  // MariaDB: kicked out by a namesake

class DumpStream {
 public:
  explicit DumpStream(ServerAccount account, DumpStreamOptions options);
  ~DumpStream();

  // Logs in and reads what the server is; the facts decide where to start.
  DumpError connect();
  const ServerFacts& facts() const noexcept { return facts_; }
  // Registers and asks for the stream from `start` on. An offset that the command's 32 bits cannot
  // hold is replaced by the file's beginning, which says less and so is always allowed.
  DumpError begin(const Position& start);
  const Position& start() const noexcept { return start_; }

  // Waits for the next event. Views in `event` are valid until the next call.
  DumpError next(DumpEvent& event);
  const Position& position() const noexcept { return parser_->position(); }

  // For the one who sends the ACKs. The descriptor stays open until close().
  int socket_fd() const noexcept { return connection_.socket_fd(); }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

  // COM_QUIT, then the end. The caller has taken the descriptor back from everybody else.
  void close();
  // Any thread: the call under way, and every later one, returns with DumpErrorKind::closed. A
  // stream that flows is left in order, so that close() can still say goodbye.
  void interrupt();

 private:
  DumpError register_variables();
  DumpError register_replica();
  DumpError request_dump();
  DumpError send_command(const std::vector<std::byte>& payload);
  DumpError read_answer();
  DumpError receive(MutableBytes out, std::size_t& received);
  DumpError wait_for(short events);
  DumpError stream_ended() const;

  static constexpr std::size_t kBufferSize = std::size_t{256} * 1024;

  ServerConnection connection_;
  const DumpStreamOptions options_;
  ServerFacts facts_;
  Position start_;
  std::optional<DumpParser> parser_;
  std::vector<std::byte> buffer_;
  ConstBytes unread_;
  std::uint64_t bytes_read_ = 0;
  bool checksums_ = true;
  int wake_ = -1;  // an eventfd; readable once interrupt() was called. -1: connect() fails
  int wake_error_ = 0;
  std::atomic<bool> interrupted_{false};
  std::atomic<bool> ours_{false};  // the socket is no longer libmariadb's
};

}  // namespace binlane

// DumpStream: a binlog dump connection to the source's server, as one of its semi-sync replicas.
//
// libmariadb logs in and runs the registering SETs. Then this class uses the socket directly:
// COM_REGISTER_SLAVE, COM_BINLOG_DUMP, and all reading from there on (libmariadb's own replication
// reader acknowledges events before its caller has seen them). Errors are values. It belongs to the
// drain thread; only interrupt() may come from another.
//
// Asking for a position says "I have everything before it": the server takes the registration for
// an ACK of that position, so choose it accordingly. [S3]
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "shim/server/dump_parser.h"
#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"

namespace binlane {

struct DumpStreamOptions {
  std::uint32_t server_id = 0;  // of the replica we appear as; unique among all replicas
  // The server says "still here" after this long without an event.
  std::uint64_t heartbeat_period_ms = 1000;
  // If nothing arrives for this long, the connection counts as dead.
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
inline constexpr std::uint32_t kErrorSameServerId =
    4052;  // MariaDB: another replica with our server_id replaced us

// Another replica took our place: it has our server_id, or in MySQL our uuid (acker_uuid.h), for
// which MySQL has no code of its own, but a text.
bool is_namesake(const DumpError& error) noexcept;

// COM_BINLOG_DUMP, and COM_BINLOG_DUMP_GTID with an empty set, of which the server sends everything
// from the offset on.
std::vector<std::byte> dump_command(std::uint32_t server_id, std::string_view file,
                                    std::uint32_t offset);
std::vector<std::byte> dump_gtid_command(std::uint32_t server_id, std::string_view file,
                                         std::uint64_t offset);

class DumpStream {
 public:
  explicit DumpStream(ServerAccount account, DumpStreamOptions options);
  ~DumpStream();

  // Logs in and reads what the server is; the facts decide where to start.
  DumpError connect();
  const ServerFacts& facts() const noexcept { return facts_; }
  // Registers and asks for the stream from `start` on. An offset beyond 32 bits, which only
  // MySQL has a command for, is replaced by the file's beginning, which claims less and so is
  // always allowed.
  DumpError begin(const Position& start);
  const Position& start() const noexcept { return start_; }

  // Waits for the next event. Views in `event` are valid until the next call.
  DumpError next(DumpEvent& event);
  const Position& position() const noexcept { return parser_->position(); }

  // For the sender of ACKs. The descriptor remains open until close().
  int socket_fd() const noexcept { return connection_.socket_fd(); }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

  // COM_QUIT, then the end. The caller has taken the descriptor back from all other users.
  void close();
  // Any thread: the current call, and every later one, returns with DumpErrorKind::closed. A stream
  // that is still readable is left in order, so that close() can still send COM_QUIT.
  void interrupt();

 private:
  DumpError register_variables();
  DumpError register_replica();
  bool wide_offsets() const;
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

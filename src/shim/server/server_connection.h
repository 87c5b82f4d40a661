// ServerConnection: one SQL connection to the server on this host, over its unix socket, with
// bounded waits everywhere.
//
// For ordinary threads; a connection belongs to the thread that calls query(). Only interrupt() may
// come from another thread. Nothing here retries: a connection that failed says so, and its owner
// decides when to call connect() again.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "shim/server/server_words.h"

struct st_mysql;

namespace binlane {

struct ServerAccount {
  std::string socket;
  std::string user;
  Secret password;
};

struct ServerTimeouts {
  std::uint32_t connect_s = 2;
  std::uint32_t read_s = 5;
  std::uint32_t write_s = 5;
};

// What the server (or the client library, codes 2000–2999) answered; code 0 is success.
struct SqlError {
  std::uint32_t code = 0;
  std::string text;

  bool ok() const noexcept { return code == 0; }
  // The connection itself failed, as opposed to a statement that was refused on a living one.
  bool is_connection_failure() const noexcept;
};

// "1045: Access denied for user …"
std::string to_string(const SqlError& error);

using SqlRow = std::vector<std::optional<std::string>>;

struct QueryResult {
  SqlError error;
  std::vector<SqlRow> rows;
  std::vector<std::string> columns;  // their names

  bool ok() const noexcept { return error.ok(); }
};

// The process at the other end of a unix socket, as the kernel names it.
struct PeerProcess {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, field 22 of /proc/<pid>/stat
};

// Whether that very process still exists. A number alone proves nothing, because numbers are used
// again. In doubt (its start cannot be read) it counts as existing.
bool is_alive(const PeerProcess& process);

class ServerConnection {
 public:
  // More rows than this is an error: nothing we ask has that many.
  static constexpr std::size_t kMaxRows = 4096;

  explicit ServerConnection(ServerAccount account, ServerTimeouts timeouts = {});
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Opens the connection, closing an earlier one first.
  SqlError connect();
  void close();
  bool is_connected() const noexcept { return handle_ != nullptr; }

  // Runs one statement and collects its rows (none for statements without a result set). A failure
  // of the connection closes it.
  QueryResult query(std::string_view sql);
  // The same, and a connection on which the statement is refused is closed. Privileges, an expired
  // password and the like are fixed at a connection's login, so the next connection has what was
  // repaired since. On a standby the account itself is a part of the stream, and its GRANT may be
  // executed after a login.
  QueryResult query_or_close(std::string_view sql);
  // SET GLOBAL variable=value, by query_or_close().
  SqlError set_global(std::string_view variable, std::string_view value);

  // The socket, for the dump stream, which speaks on it by itself; -1 when not connected.
  int socket_fd() const noexcept;
  // Empty if the kernel does not tell (another process namespace, hidden /proc).
  std::optional<PeerProcess> peer_process() const;
  const ServerAccount& account() const noexcept { return account_; }
  // Of the server to which the last connection was made; before the first one, MariaDB's.
  const ServerWords& words() const noexcept { return *words_; }

  // Any thread: makes a blocked call return with an error, and later ones fail until connect().
  void interrupt();

 private:
  SqlError last_error() const;

  const ServerAccount account_;
  const ServerTimeouts timeouts_;
  const ServerWords* words_ = &words_of(ServerFlavour::mariadb);
  st_mysql* handle_ = nullptr;
  // Guards the descriptor between interrupt() and close(), so that an interrupt never shuts down a
  // descriptor that was closed and given to another user meanwhile.
  std::mutex descriptor_mutex_;
  int descriptor_ = -1;
};

// 'text' as an SQL string literal, quotes included; refuses nothing, escapes everything special.
std::string quote_sql(std::string_view text);

}  // namespace binlane

#include "shim/server/server_connection.h"

#include <mysql.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/assert.h"
#include "base/heartbeat.h"

namespace binlane {
namespace {

constexpr std::uint32_t kClientErrorFirst = 2000;
constexpr std::uint32_t kClientErrorLast = 2999;
constexpr std::uint32_t kErrorNotConnected = 2006;  // CR_SERVER_GONE_ERROR
constexpr std::uint32_t kErrorOutOfMemory = 2008;   // CR_OUT_OF_MEMORY
constexpr std::uint32_t kErrorMalformed = 2027;     // CR_MALFORMED_PACKET
constexpr std::uint32_t kErrorShutdown = 1053;
constexpr std::uint32_t kErrorConnectionKilled = 1927;

// The server must not end a connection because it was idle: the one kept for degrading may be idle
// for days. This is the largest value that both servers take. The other settings would otherwise
// have the values that somebody has set globally, and cut our answers short, end our statements, or
// read our strings differently. Each server skips the comment that is meant for the other one.
constexpr const char* kInitCommand =
    "SET SESSION wait_timeout=31536000, sql_mode='', autocommit=1, sql_big_selects=1, "
    "sql_select_limit=18446744073709551615 /*M! , max_statement_time=0 */ "
    "/*!50708 , max_execution_time=0 */";

// The content of /proc/<pid>/stat; nothing if there is no such process, or it cannot be read.
struct ProcessStat {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

std::optional<ProcessStat> read_process_stat(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The command's name may contain anything, including blanks and parentheses; the last ')' ends
  // it.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  ProcessStat stat;
  fields >> stat.state;
  constexpr int kFieldsBetween = 18;  // fields 4 to 21; field 22 is the start time
  std::string skipped;
  for (int field = 0; field < kFieldsBetween; ++field) fields >> skipped;
  if (!(fields >> stat.start_ticks)) return std::nullopt;
  return stat;
}

}  // namespace

bool SqlError::is_connection_failure() const noexcept {
  return (code >= kClientErrorFirst && code <= kClientErrorLast) || code == kErrorShutdown ||
         code == kErrorConnectionKilled;
}

std::string to_string(const SqlError& error) {
  return error.ok() ? "ok" : std::to_string(error.code) + ": " + error.text;
}

ServerConnection::ServerConnection(ServerAccount account, ServerTimeouts timeouts)
    : account_(std::move(account)), timeouts_(timeouts) {}

ServerConnection::~ServerConnection() {
  close();
}

SqlError ServerConnection::connect() {
  close();
  // The library's own initialisation, which mysql_init() would do by itself, is not thread-safe.
  static std::once_flag library_ready;
  std::call_once(library_ready, [] { mysql_library_init(0, nullptr, nullptr); });
  MYSQL* const handle = mysql_init(nullptr);
  if (handle == nullptr) return {kErrorOutOfMemory, "mysql_init: out of memory"};
  const unsigned connect_s = timeouts_.connect_s;
  const unsigned read_s = timeouts_.read_s;
  const unsigned write_s = timeouts_.write_s;
  const unsigned protocol = MYSQL_PROTOCOL_SOCKET;
  const my_bool no = 0;
  const unsigned local_infile = 0;
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &read_s);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &write_s);
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(handle, MYSQL_OPT_RECONNECT, &no);
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &local_infile);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options(handle, MYSQL_INIT_COMMAND, kInitCommand);
  const MYSQL* const connected =
      mysql_real_connect(handle, nullptr, account_.user.c_str(), account_.password.reveal().c_str(),
                         nullptr, 0, account_.socket.c_str(), 0);
  handle_ = handle;
  if (connected == nullptr) {
    SqlError error = last_error();
    close();
    return error;
  }
  words_ = &words_of(flavour_of(mysql_get_server_info(handle)));
  const std::lock_guard lock(descriptor_mutex_);
  descriptor_ = mysql_get_socket(handle);
  return {};
}

void ServerConnection::close() {
  if (handle_ == nullptr) return;
  {
    const std::lock_guard lock(descriptor_mutex_);
    descriptor_ = -1;
  }
  mysql_close(handle_);
  handle_ = nullptr;
}

QueryResult ServerConnection::query(std::string_view sql) {
  if (handle_ == nullptr) return {{kErrorNotConnected, "not connected"}, {}, {}};
  const auto failed = [this] {
    QueryResult result{last_error(), {}, {}};
    if (result.error.is_connection_failure()) close();
    return result;
  };
  still_alive();
  if (mysql_real_query(handle_, sql.data(), sql.size()) != 0) return failed();
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> answer(mysql_store_result(handle_),
                                                                        mysql_free_result);
  if (answer == nullptr) {
    if (mysql_errno(handle_) != 0) return failed();
    return {};
  }
  if (mysql_num_rows(answer.get()) > kMaxRows)
    return {{kErrorMalformed, "more rows than any of our queries can return"}, {}, {}};
  QueryResult result;
  const unsigned columns = mysql_num_fields(answer.get());
  for (unsigned column = 0; column < columns; ++column)
    result.columns.emplace_back(mysql_fetch_field_direct(answer.get(), column)->name);
  while (MYSQL_ROW row = mysql_fetch_row(answer.get())) {
    const unsigned long* const lengths = mysql_fetch_lengths(answer.get());
    SqlRow& out = result.rows.emplace_back();
    out.reserve(columns);
    for (unsigned column = 0; column < columns; ++column) {
      if (row[column] == nullptr) {
        out.emplace_back(std::nullopt);
      } else {
        out.emplace_back(std::string(row[column], lengths[column]));
      }
    }
  }
  return result;
}

QueryResult ServerConnection::query_or_close(std::string_view sql) {
  QueryResult result = query(sql);
  if (!result.ok()) close();
  return result;
}

SqlError ServerConnection::set_global(std::string_view variable, std::string_view value) {
  std::string sql = "SET GLOBAL ";
  sql.append(variable).append("=").append(value);
  return query_or_close(sql).error;
}

int ServerConnection::socket_fd() const noexcept {
  return handle_ == nullptr ? -1 : static_cast<int>(mysql_get_socket(handle_));
}

bool is_alive(const PeerProcess& process) {
  if (process.pid <= 0) return false;
  const bool exists = ::kill(static_cast<pid_t>(process.pid), 0) == 0 || errno == EPERM;
  if (!exists) return false;
  const auto stat = read_process_stat(process.pid);
  if (!stat) return true;
  // A process that has ended and was not yet waited for does nothing any more.
  const bool ended = stat->state == 'Z' || stat->state == 'X';
  return !ended && stat->start_ticks == process.start_ticks;
}

std::optional<PeerProcess> ServerConnection::peer_process() const {
  const int descriptor = socket_fd();
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (descriptor < 0 || getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0)
    return std::nullopt;
  const auto stat = read_process_stat(credentials.pid);
  if (!stat) return std::nullopt;
  return PeerProcess{credentials.pid, stat->start_ticks};
}

void ServerConnection::interrupt() {
  const std::lock_guard lock(descriptor_mutex_);
  if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
}

SqlError ServerConnection::last_error() const {
  BL_ASSERT(handle_ != nullptr);
  const unsigned code = mysql_errno(handle_);
  // Never success: callers come here because something failed.
  return {code != 0 ? code : kErrorMalformed, mysql_error(handle_)};
}

std::string quote_sql(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\0') {
      out += "\\0";
      continue;
    }
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

}  // namespace binlane

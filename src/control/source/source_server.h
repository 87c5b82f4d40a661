// SourceServer: a source's database server, as its control asks and steers it. All SQL of a source
// is in the implementations: SqlSourceServer for a real server, and the simulator's own.
//
// No call waits for a commit that waits for a quorum. There are two connections, one for polls and
// one for commands, so that a slow poll never delays a degrade. [S13] Source's control thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "control/stream/incarnation_start.h"
#include "shim/server/dump_connection.h"
#include "shim/server/semi_sync_control.h"
#include "shim/server/server_facts.h"
#include "shim/server/server_process.h"

namespace binlane {

// The progress of a request for read_only.
enum class ReadOnlyState : std::uint8_t {
  idle,
  sending,  // in progress; the statement may wait in the server
  done,     // the server is read-only
  failed    // read_only_failure() says why
};

// The server's binlogs that its index lists.
struct ListedBinlogs {
  std::string directory;
  std::string basename;
  std::uint32_t first = 0;           // from this one on all of them exist
  std::uint32_t last = 0;            // the newest one listed
  std::uint32_t run_first_file = 0;  // the first one of the server's present run
};

struct ServerPollResult {
  SemiSyncStatus status;
  std::uint32_t newest_file = 0;  // the newest binlog that the index lists; 0: unknown
};

struct KilledServer {
  std::int64_t pid = 0;
  KillOutcome outcome = KillOutcome::gone;
};

// Whether the process of a server exists.
enum class ServerLife : std::uint8_t { alive, ended, unknown };

class SourceServer {
 public:
  SourceServer() = default;
  SourceServer(const SourceServer&) = delete;
  SourceServer& operator=(const SourceServer&) = delete;
  virtual ~SourceServer() = default;

  // --- connections
  // Opens both, even if they are open.
  virtual Status connect() = 0;
  virtual bool is_connected() const = 0;  // both are open
  virtual Status connect_polls() = 0;     // opens the connection for polls, even if it is open
  virtual bool polls_connected() const = 0;
  virtual Status connect_commands() = 0;  // opens the other one, unless it is open
  virtual bool commands_connected() const = 0;
  // At the last attempt to connect no server answered, as opposed to one that refused our account.
  virtual bool is_down() const { return false; }

  // --- what the server is; over the connection for polls
  virtual Result<ServerFacts> read_facts() = 0;
  virtual ServerRun read_run() = 0;
  // Asks the kernel, not the server. `run` is the run that was last seen.
  virtual ServerLife life(const ServerRun& run) = 0;
  virtual Result<ListedBinlogs> list_binlogs(const ServerFacts& facts) = 0;

  // --- semi-sync; call read_facts() first
  virtual Result<ServerPollResult> poll() = 0;
  // The last poll failed because the server has no semi-sync any more.
  virtual bool lost_semi_sync() const { return false; }
  // Semi-sync has been ON since the server started, by the server's own settings, so its counters
  // count from then.
  virtual bool on_since_start() = 0;
  // Sets wait point, timeout and wait_no_replica, before semi-sync is switched on.
  virtual Status prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                         std::uint64_t our_timeout_ms) = 0;
  virtual Status set_wait_point(WaitPoint point) = 0;
  virtual Status set_server_timeout(std::uint64_t server_timeout_ms,
                                    std::uint64_t our_timeout_ms) = 0;
  virtual Status set_wait_no_replica(bool on) = 0;
  virtual Status set_enabled(bool on) = 0;
  // For a FENCED source: makes commits that come from now on wait for as long as a server can wait.
  // `seen` is the last poll.
  virtual Status hold_commits(const SemiSyncStatus& seen, std::uint64_t our_timeout_ms) = 0;
  // The names that this server gives to the settings and counters of semi-sync.
  virtual const SemiSyncNames& names() const = 0;

  // --- read_only
  // Asks for it without waiting, unless a request is in progress. The statement waits in the server
  // for the commits that wait for a quorum, and new commits are blocked meanwhile. [S15]
  virtual void begin_read_only() = 0;
  virtual ReadOnlyState read_only_state() const = 0;
  virtual std::string read_only_failure() const = 0;
  // The request waits in the server, so the server accepts no new commit.
  virtual bool read_only_waits() = 0;
  virtual Result<bool> is_read_only() = 0;
  virtual Status lift_read_only() = 0;

  // --- our other connections
  virtual DumpConnection& dump() = 0;
  // Starts the dump connection's thread, which asks `decide` where to register.
  virtual void start(DumpConnection::Register decide) = 0;
  virtual void stop() = 0;
  // Tries a login of our account if one is due; see LoginProbe. login_problem() is empty, or what
  // was wrong with the last one.
  virtual void try_login(std::uint64_t now_ns) = 0;
  virtual std::string login_problem() const = 0;

  // --- for other roles
  // Kills the process that `run` names, and no other.
  virtual Result<KilledServer> kill(const ServerRun& run) = 0;
  // For a standby: switches semi-sync off. Returns whether it was on.
  virtual Result<bool> switch_off() = 0;
  // For a standby: why the server does not replicate from the feed at this port, or does not
  // execute what it gets; empty if it does.
  virtual std::string replication_problem(std::uint16_t feed_port) = 0;
};

}  // namespace binlane

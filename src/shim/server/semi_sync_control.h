// SemiSyncControl: controls and watches the server's own semi-sync through SQL.
//
// One object belongs to one ordinary thread. It uses a connection opened beforehand, so that
// degrading never needs a new one. [S13] poll() and the SETs may use two connections, so that a
// slow poll never delays a SET. Nothing here takes LOCK_log.
//
// What the servers do (tried on MariaDB 10.11):
// * enabled=OFF wakes all waiters at once, and forgets every ACK. After enabled=ON the newest ACK
//    has to be sent again; the dump connection is unaffected.
// * After the server's own timeout enabled remains ON, status is OFF, and an ACK at or beyond the
//    newest commit switches it on again by itself.
// * While enabled is OFF neither yes_tx nor no_tx count.
// * FLUSH STATUS and RESET MASTER set the counters back to 0: use counter_growth().
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"

namespace binlane {

enum class WaitPoint { after_sync, after_commit };
// In the server's words.
const char* to_sql(WaitPoint point) noexcept;

// Full names of variables and status counters in one server's words.
struct SemiSyncNames {
  std::string enabled, timeout, wait_point, wait_no_replica;                     // variables
  std::string status, clients, yes_tx, no_tx, no_times, wait_sessions, get_ack;  // status
  std::string replica_user_variable;  // set on a dump connection to be semi-sync
};

SemiSyncNames semi_sync_names(SemiSyncWords words);

struct SemiSyncStatus {
  bool status_on = false;  // the server waits for ACKs right now
  bool enabled = false;
  bool wait_no_replica = false;
  bool read_only = false;
  WaitPoint wait_point = WaitPoint::after_sync;
  std::uint64_t timeout_ms = 0;
  std::uint64_t clients = 0;  // semi-sync replicas; more than 1: another client acknowledges too
  std::uint64_t yes_tx = 0;
  std::uint64_t no_tx = 0;
  std::uint64_t no_times = 0;
  std::uint64_t wait_sessions = 0;
  std::uint64_t get_ack = 0;
  std::uint64_t sync_binlog = 0;
  std::uint64_t innodb_flush_log_at_trx_commit = 0;
  std::uint64_t uptime_s = 0;
  // Every Rpl_semi_sync_… value that the server shows, under its own name.
  std::vector<std::pair<std::string, std::string>> shown;
};

// The status right after a successful set_enabled(on), in all its forms. The next poll may be a
// while away, and what is shown until then must not contradict what was done.
void note_switched(SemiSyncStatus& status, const SemiSyncNames& names, bool on);

struct SemiSyncPoll {
  SqlError error;
  SemiSyncStatus status;

  bool ok() const noexcept { return error.ok(); }
};

class SemiSyncControl {
 public:
  // The server's timeout is a backstop: at least this much longer than ours. [S13]
  static constexpr std::uint64_t kBackstopMarginMs = 1000;

  SemiSyncControl(ServerConnection& connection, SemiSyncWords words, ServerFlavour flavour);

  SqlError set_wait_point(WaitPoint point);
  // Asserts server_timeout_ms ≥ our_timeout_ms + kBackstopMarginMs.
  SqlError set_server_timeout(std::uint64_t server_timeout_ms, std::uint64_t our_timeout_ms);
  SqlError set_wait_no_replica(bool on);
  SqlError set_enabled(bool on);
  // Wait point, timeout and wait_no_replica=ON, in this order: enabling comes after it.
  SqlError prepare(WaitPoint point, std::uint64_t server_timeout_ms, std::uint64_t our_timeout_ms);

  // One statement.
  SemiSyncPoll poll();
  // The server has been ON since it started, by its own settings, and its counters count from then;
  // false if that is unknown. One statement.
  bool on_since_start();

  const SemiSyncNames& names() const noexcept { return names_; }

 private:
  SqlError set(const std::string& variable, const std::string& value);

  ServerConnection& connection_;
  const SemiSyncNames names_;
  const std::string poll_sql_;
  const std::string since_start_sql_;
};

}  // namespace binlane

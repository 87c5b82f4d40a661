// SourceIncarnation, the part that polls the server, and compares what it shows with what it was
// told. [S7, S8, S22]

#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "control/source/source_incarnation.h"
#include "control/source/source_pace.h"

namespace binlane {

void ServerSight::note_failed_poll(const Status& status, bool no_server) {
  BL_ASSERT(status.is_failed());
  ++polls_failed;
  server_down = no_server;
  if (status.text() == poll_problem) return;
  poll_problem = status.text();
  log::error("poll_failed", "cannot read the server's status: {}", poll_problem);
}

// The server is gone, or has closed the connection. If another process answers now, the incarnation
// ends; the dump drain notices that too.
std::optional<IncarnationEnd> SourceIncarnation::reconnect(std::uint64_t now_ns) {
  if (const Status connected = parts_.server.connect(); !connected.is_ok()) {
    history_.sight.note_failed_poll(connected, parts_.server.is_down());
    next_poll_ns_ = now_ns + kServerRetryNs;
    return std::nullopt;
  }
  if (parts_.server.read_run().is_same_as(history_.sight.run)) return std::nullopt;
  return IncarnationEnd{"the server was restarted", {}};
}

std::optional<IncarnationEnd> SourceIncarnation::poll_server(std::uint64_t now_ns) {
  if (now_ns < next_poll_ns_) return std::nullopt;
  next_poll_ns_ = now_ns + kPollNs;
  ServerSight& sight = history_.sight;
  ++sight.polls;
  if (!parts_.server.is_connected()) {
    if (auto end = reconnect(now_ns)) return end;
    if (!parts_.server.is_connected()) return std::nullopt;
  }
  ServerPoll seen;
  seen.begun_ns = parts_.time.now_ns();
  seen.run = 1;  // constant, because another run of the server is another incarnation
  const OwnAcker acker = own_acker();
  synced_.confirmer().on_poll_begin(dump_position());
  Result<ServerPollResult> poll = parts_.server.poll();
  if (!poll.is_ok()) {
    synced_.confirmer().on_poll_end(std::nullopt);
    sight.note_failed_poll(poll.status(), false);
    // Nothing waits any more, whatever the last poll has shown. The ledger gets what came since
    // then as the next incarnation is refused or begins.
    if (parts_.server.lost_semi_sync())
      return IncarnationEnd{"the server has no semi-sync any more: its plugin was uninstalled", {}};
    return std::nullopt;
  }
  SemiSyncStatus& status = poll.value().status;
  synced_.confirmer().on_poll_end(status.sync_binlog);
  sight.poll_problem.clear();
  if (status.sync_binlog != 1 || status.innodb_flush_log_at_trx_commit != 1)
    return IncarnationEnd{"sync_binlog or innodb_flush_log_at_trx_commit is not 1 any more", {}};
  sight.status = std::move(status);
  watch_wait_point(seen.begun_ns);
  read_back(now_ns);
  const SemiSyncStatus& now = sight.status;
  seen.enabled = now.enabled;
  seen.status_on = now.status_on;
  seen.counters = {now.yes_tx, now.no_tx, now.no_times};
  seen.waiting = now.wait_sessions;
  seen.others = acker_watch_.observe(now_ns, now.clients, acker, own_acker());
  // The lane may have a backlog and not have read the server's newest file yet.
  numbers_.note(poll.value().newest_file);
  new_poll_ = seen;
  return std::nullopt;
}

// If it cannot be recorded that commits wait AFTER_COMMIT, the next poll tries again: somebody has
// changed the server, and nothing here can prevent that.
void SourceIncarnation::watch_wait_point(std::uint64_t polled_ns) {
  const bool sync = history_.sight.status.wait_point == WaitPoint::after_sync &&
                    source_.wait_point == WaitPoint::after_sync;
  if (sync) {
    if (!after_sync_since_ns_) after_sync_since_ns_ = polled_ns;
    return;
  }
  static_cast<void>(expect_after_commit());
}

bool SourceIncarnation::expect_after_commit() {
  after_sync_since_ns_.reset();
  written_before_.reset();
  return parts_.records.expect_after_commit();
}

// Once a quorum has everything that may have waited AFTER_COMMIT, the engine has nothing of what
// waits from then on.
void SourceIncarnation::settle_waits(const SourceMarks& marks) {
  const SourceState& state = parts_.records.state();
  if (!state.waits_committed || !after_sync_since_ns_) return;
  if (!written_before_ && marks.all_read_ns >= *after_sync_since_ns_)
    written_before_ = marks.written;
  if (!written_before_ || marks.quorum < *written_before_) return;
  SourceState next = state;
  next.waits_committed = false;
  parts_.records.store(next);
}

// Our dump connection, as its drain knows it. A connection that an older incarnation registered
// counts as well, because the server counts it among its semi-sync clients.
OwnAcker SourceIncarnation::own_acker() const {
  const DrainStatus drain = parts_.server.dump().status();
  return {drain.state == DrainState::draining, drain.connections};
}

// After each poll: compares what the server shows with what it was told.
void SourceIncarnation::read_back(std::uint64_t now_ns) {
  ServerWishes wishes;
  wishes.timeout_ms = source_.effective_server_timeout_ms();
  wishes.wait_point = source_.wait_point;
  wishes.read_only =
      parts_.read_only.made() && source_.fallback == FallbackMode::fail && !fallback_.promises();
  wishes.registered = registered();
  for (const ServerWatch::Change& change :
       server_watch_.observe(wishes, history_.sight.status, parts_.server.names())) {
    if (change.differs)
      log::warning("server_setting_changed", "{}", change.text);
    else
      log::info("server_setting", "no longer true: {}", change.text);
  }
  const auto due = server_watch_.due(now_ns);
  if (!due) return;
  const std::string failure = mend(*due);
  if (server_watch_.mended(*due, failure, now_ns))
    log::error("server_setting_not_set", "{}", failure);
  poll_soon();  // to see whether it has helped
}

// Sets it again. Returns an empty string, or why that failed.
std::string SourceIncarnation::mend(ServerSetting setting) {
  SourceServer& server = parts_.server;
  switch (setting) {
    case ServerSetting::timeout:
      return server.set_server_timeout(source_.effective_server_timeout_ms(), source_.timeout_ms)
          .text();
    case ServerSetting::wait_point:
      return server.set_wait_point(source_.wait_point).text();
    case ServerSetting::wait_no_replica:
      return server.set_wait_no_replica(true).text();
    case ServerSetting::read_only: {
      // The statement may wait in the server, so the next look shows whether it has succeeded.
      // [S15]
      const bool failed = server.read_only_state() == ReadOnlyState::failed;
      std::string failure = failed ? server.read_only_failure() : std::string();
      server.begin_read_only();
      return failure;
    }
    case ServerSetting::clients:
      break;
  }
  return "Binlane does not set this";
}

}  // namespace binlane

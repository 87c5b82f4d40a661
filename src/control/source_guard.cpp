// SourceControl, the part that watches for what else than Binlane may release commits, and for what
// an operator's degrade leaves.

#include "base/error.h"
#include "base/log.h"
#include "control/source_control.h"

namespace binlane {

// Before a connection of ours can have acknowledged anything.
RestartProof SourceControl::look_at_restart() {
  RestartProof proof;
  proof.on_since_start = poller_->on_since_start();
  const SemiSyncPoll poll = poller_->poll();
  if (!poll.ok()) return proof;
  proof.counters = ServerCounters{poll.status.yes_tx, poll.status.no_tx, poll.status.no_times};
  proof.on_since_start = proof.on_since_start && poll.status.enabled && poll.status.status_on;
  return proof;
}

// Our connection for ACKs as the drain has it; one that began for an older incarnation counts, for
// the server has it among its semi-sync clients.
OwnAcker SourceControl::own_acker() const {
  const DrainStatus drain = drain_.status();
  return {drain.state == DrainState::draining, drain.connections};
}

void SourceControl::watch_numbers(const SourceMarks& marks) {
  numbers_.note(marks.written_at.file);
  numbers_.note(dump_position().file);
  if (const auto number = numbers_.take_warning())
    log::warning(
        "binlog_numbers",
        "the server's newest binlog is number {}; at number {} semi-sync is switched off for "
        "good, because MariaDB compares the names of binlogs as text: renumber them "
        "(docs/OPERATIONS.md, Binlog numbers)",
        *number, BinlogNumbers::kLastNumber);
}

// Ends with an ON that somebody gave the server.
void SourceControl::keep_degrade_mark() {
  if (!degrade_mark_.stands() || fallback_->degraded_by_operator()) return;
  if (const int error = degrade_mark_.remove(); error != 0)
    log::error("degrade", "cannot remove {}: {}", degrade_mark_.path(), errno_text(error));
  else
    log::info("degrade", "the degrade is over: semi-sync was switched on at the server");
}

}  // namespace binlane

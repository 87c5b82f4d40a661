// I4: what Binlane releases without a quorum is in the ledger first. Every other release is found
// in the ledger once all is well again: by the server itself, by somebody else's ACK [S23], or by
// the comparison of names as text [S17].
//
// What must be found, precisely: a commit whose client got OK while no quorum had it is in an
// interval, unless
//   * it went by a KILL, which counts as acknowledged at the server (fallback.h), or
//   * it went by the ACK of somebody else who was gone before a look of Binlane could show it. A
//   look
//     shows it when the server counts it then and our own connection is settled (AckerWatch); while
//     binlaned works there is one every 50 ms (S8).
// And while a look shows either, the state is not called SEMISYNC; nor is it called FOREIGN_ACKER
// in a run in which nobody else ever acknowledged.
//
// What a mode promises beside that, as long as it was not changed in the run: in mode `block` no
// deadline of Binlane's releases anybody; in mode `fail` none does before new commits are stopped
// (S15).

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {
namespace {

// One turn may still act on what it saw before the change, so this many looks are tolerated.
constexpr std::uint32_t kMostLooksUnguarded = 3;

}  // namespace

void Checks::check_turning_off() {
  ++counts_.releases;
  const Ledger& ledger = *world_.source().ledger();
  if (ledger.open_intervals().empty() || ledger.failed())
    fail("I4", "waiters are released, and the ledger does not know");
  check_mode(ledger.open_intervals().back());
}

void Checks::check_mode(const LedgerInterval& interval) {
  if (world_.faults_of(FaultKind::live_mode_change) > 0) return;
  const auto by_deadline = [](const ExposureCause& cause) {
    return cause.kind == ExposureKind::own &&
           (cause.reason == to_string(FallbackReason::timeout) ||
            cause.reason == to_string(FallbackReason::link_lost));
  };
  if (!std::any_of(interval.causes.begin(), interval.causes.end(), by_deadline)) return;
  const FallbackMode mode = world_.source().fallback_options().mode;
  if (mode == FallbackMode::block) fail("I4", "a deadline releases waiters in mode block");
  // Whatever else was recorded since releases waiters without that.
  const Mysqld& server = world_.server();
  const bool alone = interval.causes.size() == 1;
  if (mode == FallbackMode::fail && alone && !server.read_only() && !server.read_only_pending())
    fail("S15", "a deadline releases waiters in mode fail, and new commits are taken");
}

// Notes which visits of the foreign acker a look must have shown.
void Checks::follow_foreign() {
  const SourceHost& source = world_.source();
  const Mysqld& server = world_.server();
  if (!source.up() || source.looked_ns() == looked_ns_) return;
  looked_ns_ = source.looked_ns();
  const bool foreign = server.foreign_connected() && source.looked_settled();
  if (foreign) foreign_seen_.insert(server.foreign_visits());
  const bool over = server.up() && server.compares_names_as_text() &&
                    server.last_listed() >= BinlogNumbers::kLastNumber;
  const bool semisync = source.fallback_state() == FallbackState::semisync;
  looks_unguarded_ = (foreign || over) && semisync ? looks_unguarded_ + 1 : 0;
}

void Checks::check_guarded() {
  if (looks_unguarded_ > kMostLooksUnguarded)
    fail("I4", "it is called SEMISYNC, and others than Binlane end waits at the server");
  const SourceHost& source = world_.source();
  if (source.up() && source.fallback_state() == FallbackState::foreign_acker &&
      world_.server().foreign_visits() == 0)
    fail("I4", "somebody else is said to acknowledge, and nobody does");
}

void Checks::check_ledger() {
  const auto intervals = world_.source().ledger()->list();
  for (const Exposure& exposure : exposures_) {
    const Commit& commit = exposure.commit;
    // The server counts a KILL as an acknowledgement. Binlane notices one only while the quorum
    // mark stands still (fallback.h).
    if (exposure.killed || exposure.origin != origin_) continue;
    if (commit.visit != 0 && !foreign_seen_.contains(commit.visit)) continue;
    const bool known = std::any_of(intervals.begin(), intervals.end(), [&](const auto& interval) {
      return interval.from < commit.end && (!interval.to || *interval.to >= commit.end);
    });
    if (known) continue;
    std::string listed;
    for (const auto& interval : intervals)
      listed += fmt::format(" {}-{}", to_string(interval.from),
                            interval.to ? to_string(*interval.to) : "");
    fail("I4", fmt::format("commit {} ({}) went without a quorum{}, and no interval has it:{}",
                           commit.id, to_string(commit.end),
                           commit.answer == Answer::foreign    ? ", by another acker"
                           : commit.answer == Answer::unwaited ? ", by its file's name"
                                                               : "",
                           listed));
  }
}

}  // namespace binlane::sim

#include "control/source/fenced_source.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/source/source_pace.h"

namespace binlane {
namespace {

// How often a record that the disk did not take is written again.
constexpr std::uint64_t kRecordAgainNs = 1 * kNanosPerSecond;

}  // namespace

FencedSource::FencedSource(SourceParts& parts, ServerSight& sight)
    : parts_(parts), sight_(sight), from_(exposed_since(parts.records.state())) {}

FencedSource::FencedSource(SourceParts& parts, ServerSight& sight, Position from,
                           const ServerCounters& known, bool status_on)
    : parts_(parts),
      sight_(sight),
      from_(from),
      next_record_ns_(parts.time.now_ns() + kRecordAgainNs) {
  watch_.begin(known, status_on);
}

void FencedSource::record_exposure() {
  const SourceState& state = parts_.records.state();
  BL_ASSERT(parts_.role.state().role == HostRole::fenced);
  recorded_ = state.origin.is_null() || parts_.records.ledger().expose_fencing(
                                            from_, state.epoch, parts_.role.state().fence_reason);
  if (!recorded_)
    log::error("ledger_failed", "cannot record the exposure after {} in the ledger: {}",
               to_string(from_), parts_.records.ledger().failure());
}

void FencedSource::turn(std::uint64_t now_ns, std::uint64_t our_timeout_ms) {
  BL_ASSERT(parts_.role.state().role == HostRole::fenced);
  record_again(now_ns);
  poll_server(now_ns, our_timeout_ms);
}

void FencedSource::record_again(std::uint64_t now_ns) {
  if ((parts_.role.on_record() && recorded_) || now_ns < next_record_ns_) return;
  next_record_ns_ = now_ns + kRecordAgainNs;
  if (!parts_.role.on_record() && parts_.role.put_on_record() == 0)
    log::info("fenced", "the fence is on record now");
  if (!recorded_ && !parts_.records.ledger().failed()) record_exposure();
}

// The server's own timeout ends the waits of commits that came before the fence. Its engine then
// has transactions that no other host has, and a rejoin must not truncate them. [S8]
void FencedSource::poll_server(std::uint64_t now_ns, std::uint64_t our_timeout_ms) {
  if (now_ns < next_poll_ns_) return;
  next_poll_ns_ = now_ns + kPollNs;
  ++sight_.polls;
  if (!parts_.server.polls_connected()) {
    next_poll_ns_ = now_ns + kServerRetryNs;
    if (const Status connected = connect(); !connected.is_ok())
      return sight_.note_failed_poll(connected, parts_.server.is_down());
  }
  const Result<ServerPollResult> poll = parts_.server.poll();
  if (!poll.is_ok()) return sight_.note_failed_poll(poll.status(), false);
  sight_.poll_problem.clear();
  const SemiSyncStatus& status = poll.value().status;
  const ServerCounters now{status.yes_tx, status.no_tx, status.no_times};
  if (watch_.let_go(now, status.status_on) && !expose()) return;  // the next poll tries again
  watch_.taken(now, status.status_on);
  sight_.status = status;
  hold_commits(status, our_timeout_ms);
}

// If binlaned was restarted while FENCED, the counters on record are what the server's are compared
// with. What another run of the server released shows in that server's files, and Rejoiner finds
// it.
Status FencedSource::connect() {
  if (Status connected = parts_.server.connect_polls(); !connected.is_ok()) return connected;
  const Result<ServerFacts> facts = parts_.server.read_facts();
  if (!facts.is_ok()) return facts.status();
  const ServerRun& run = facts.value().run;
  if (!run.is_same_as(sight_.run)) {
    const SourceState& state = parts_.records.state();
    const auto last_run = parse_server_run(state.server_run);
    const bool same = last_run && last_run->is_same_as(run);
    watch_.begin_run(same ? std::optional(state.counters) : std::nullopt);
  }
  sight_.run = run;
  commits_held_ = false;
  return Status::ok();
}

bool FencedSource::expose() {
  Ledger& ledger = parts_.records.ledger();
  const auto& open = ledger.open_intervals();
  const SourceState& state = parts_.records.state();
  const Position from = open.empty() ? from_ : open.back().from;
  constexpr const char* kReason = "the server let waiting commits go while this host was FENCED";
  if (!ledger.expose(from, state.epoch, ExposureKind::server_side, kReason)) {
    log::error("ledger_failed", "{}", ledger.failure());
    return false;
  }
  BL_ASSERT(!ledger.open_intervals().empty());
  log::error("exposed", "{}: clients got OK for commits after {}, and no other host has them",
             kReason, to_string(from));
  return true;
}

// Accounts with READ_ONLY ADMIN are not bound by read_only, and after its own timeout the server
// lets no commit wait any more. So semi-sync is armed again, with the longest timeout that a server
// takes: a commit that comes after the fence waits for a quorum that does not come. A commit that
// waited before the fence keeps the timeout that it began with. [S13] When the fence is lifted, and
// at a rejoin, semi-sync is set up anew.
void FencedSource::hold_commits(const SemiSyncStatus& status, std::uint64_t our_timeout_ms) {
  if (commits_held_ && status.status_on) return;
  const bool held = parts_.server.hold_commits(status, our_timeout_ms).is_ok();
  if (held && !commits_held_)
    log::warning(
        "fenced",
        "from now on, commits that the server still accepts wait for a quorum, which does not come "
        "while this host is FENCED");
  commits_held_ = held;
}

}  // namespace binlane

// S21: a degraded source that was suspended for longer than a promotion took takes no writes after
// it wakes up, because no replica can answer it in its term any more.

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "base/clock.h"
#include "checks.h"

namespace binlane::sim {
namespace {

// The source notices within its first turns. What its server has begun to write by then goes on.
constexpr std::uint64_t kBoundNs = 100 * kNanosPerMilli;

}  // namespace

// Only if every replica has promised a later term is it certain that none may answer.
void Checks::on_source_wakes() {
  const SourceHost& source = world_.source();
  const auto& replicas = world_.replicas();
  const bool replaced = std::all_of(replicas.begin(), replicas.end(), [&](const auto& replica) {
    return replica->stored_meta().promise.term > source.epoch().term;
  });
  if (!replaced || !source.up() || !world_.server().up() || !source.degraded()) return;
  ++counts_.wakings;
  woken_ = Woken{world_.clock().time_ns + kBoundNs, world_.server().run(), source.starts(), {}};
}

// Ends the check when the daemon or the server is another process, to which the rule does not
// apply.
void Checks::watch_woken() {
  if (!woken_) return;
  const SourceHost& source = world_.source();
  if (!source.up() || source.starts() != woken_->starts || !world_.server().up() ||
      world_.server().run() != woken_->server_run)
    return woken_.reset();
  if (!woken_->end && world_.clock().time_ns >= woken_->bound_ns)
    woken_->end = world_.server().written();
}

void Checks::check_woken(const Commit& commit) {
  if (!woken_ || !woken_->end || commit.begin < *woken_->end) return;
  fail("S21", fmt::format("commit {} ({}) was written after a degraded source had woken up, and "
                          "told to a client, though every replica follows a later term",
                          commit.id, to_string(commit.end)));
}

}  // namespace binlane::sim

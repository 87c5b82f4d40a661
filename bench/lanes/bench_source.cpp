#include "lanes/bench_source.h"

#include <limits>

#include "dataplane/lane/source_lane_proxy.h"
#include "measure.h"

namespace binlane::bench {
namespace {

// After this many turns settle() ends: a port that always has work is measured in this state.
constexpr int kSettleTurns = 10'000;

QuorumRule any_one(AckLevel level) {
  QuorumRule rule;
  rule.number = 1;
  rule.level = level;
  rule.clause_count = 1;
  rule.clauses[0].members = 1;
  rule.clauses[0].count = 1;
  return rule;
}

PeerList only(const Endpoint& replica) {
  PeerList peers;
  BL_ASSERT(peers.add({0, replica.ipv4, replica.udp_port}));
  return peers;
}

}  // namespace

BenchSource::BenchSource(AnyPort& port, const Endpoint& replica, std::uint64_t session_id,
                         std::uint64_t window, AckLevel level, IdleMode idle,
                         const std::string& folder)
    : port_(port),
      ports_{&port_},
      stream_(folder),
      cycle_(ports_, stream_, server_, clock_, queues_, only(replica)),
      idle_(idle_of(idle)) {
  cycle_.rebuild(kBenchEpoch, any_one(level));
  queues_.pause.resume();
  StartSession start;
  start.peer = replica;
  start.epoch = kBenchEpoch;
  start.session_id = session_id;
  start.window_end = SessionOffset{window};
  start.journal_id.bytes[0] = 1;
  // The server syncs at once: the cost of a sync is not part of this measurement, but moving marks
  // are.
  const Position synced{1, std::numeric_limits<std::uint64_t>::max()};
  SourceLaneProxy lane(queues_);
  BL_ASSERT(lane.start_session(start) && lane.set_synced(synced));
  cycle_.do_work();
}

bool BenchSource::turn_until(std::uint64_t covered, std::uint64_t bound_ns) {
  // The clock is read only from time to time: the cycle itself reads it once a turn.
  constexpr std::uint32_t kTurnsPerLook = 256;
  const std::uint64_t end_ns = monotonic_ns() + bound_ns;
  for (std::uint32_t turns = 1; server_.told.offset < covered; ++turns) {
    idle_.after_turn(cycle_.do_work(), cycle_.batch());
    if (turns % kTurnsPerLook != 0) continue;
    SourceEvent event;
    if (queues_.events.try_pop(event) || monotonic_ns() > end_ns) return false;
  }
  return true;
}

bool BenchSource::commit(std::uint64_t bytes, bool unread, std::uint64_t bound_ns) {
  const std::uint64_t frames = port_.committed();
  committed_ += bytes;
  unread ? stream_.commit_unread(bytes) : stream_.commit(bytes);
  const bool done = turn_until(committed_, bound_ns);
  took_ns_ = monotonic_ns() - stream_.seen_at_ns();
  frames_ = port_.committed() - frames;
  return done;
}

bool BenchSource::bulk(std::uint64_t bytes, std::uint64_t backlog, std::uint64_t bound_ns) {
  committed_ += bytes;
  stream_.commit(bytes);
  return turn_until(committed_ - std::min(backlog, committed_), bound_ns);
}

void BenchSource::settle() {
  for (int turns = 0; turns < kSettleTurns && cycle_.do_work() > 0; ++turns) {
  }
}

}  // namespace binlane::bench

// BenchReplica: a replica's production duty cycle, journal included, for benchmarks.
//
// Over `Disk` the journal goes to a device (JournalDisk) or nowhere (NoDisk, for round trips of
// level `received`). There is no archive: what is released is free at once. One thread owns it.
#pragma once

#include <array>
#include <cstdint>

#include "base/error.h"
#include "dataplane/lane/replica_cycle.h"
#include "dataplane/lane/replica_lane_proxy.h"
#include "dataplane/port/any_port.h"
#include "lanes/bench_source.h"
#include "storage/journal/journal.h"

namespace binlane::bench {

// Writes complete in the turn after their submission.
class NoDisk {
 public:
  void submit(const DiskWrite& write) noexcept {
    BL_ASSERT(count_ < pending_.size());
    pending_[count_++] = {write.id, static_cast<std::int32_t>(write.length)};
  }
  std::size_t reap(std::span<DiskCompletion> completions) noexcept {
    const std::size_t count = std::min(count_, completions.size());
    for (std::size_t i = 0; i < count; ++i) completions[i] = pending_[i];
    BL_ASSERT(count == count_);
    count_ = 0;
    return count;
  }

 private:
  std::array<DiskCompletion, kMaxWritesInFlight> pending_{};
  std::size_t count_ = 0;
};
static_assert(Disk<NoDisk>);

template <class Disk>
class BenchReplica {
 public:
  // Begins the session, which BenchSource takes for agreed on. Throws StartupError when it does not
  // come about within `bound_ns`.
  BenchReplica(AnyPort& port, Disk& disk, MutableBytes image, const JournalStart& start,
               const Endpoint& source, std::uint64_t session_id, std::uint64_t bound_ns)
      : journal_(image, start),
        cycle_(port, disk, journal_, clock_, queues_, kBenchCluster, "r", only(source)) {
    queues_.pause.resume();
    admit(source, wire::Phase::ask, 0);
    admit(source, wire::Phase::start, session_id);
    const std::uint64_t end_ns = monotonic_ns() + bound_ns;
    while (!queues_.marks.load().connected) {
      do_work();
      if (monotonic_ns() > end_ns) throw StartupError("the replica's session does not begin");
    }
  }

  std::size_t do_work() noexcept {
    const std::size_t work = cycle_.do_work();
    ReleaseMark mark;
    while (queues_.released.try_pop(mark)) {
      // Every block before `sequence` is released whole.
      if (mark.sequence > 1) journal_.on_archived(mark.sequence - 1);
    }
    return work;
  }
  std::size_t batch() const noexcept { return cycle_.batch(); }
  const Journal& journal() const noexcept { return journal_; }

 private:
  static PeerList only(const Endpoint& source) {
    PeerList peers;
    BL_ASSERT(peers.add({0, source.ipv4, source.udp_port}));
    return peers;
  }

  using Cycle = ReplicaCycle<AnyPort, Disk, Journal, MonotonicClock>;
  static constexpr std::uint64_t kAnswer = 1;

  // As the control thread admits a HELLO that it has checked.
  void admit(const Endpoint& source, wire::Phase phase, std::uint64_t session_id) {
    wire::HelloBody body;
    body.phase = static_cast<std::uint8_t>(phase);
    body.handshake_id = 1;
    body.cluster_id = kBenchCluster;
    body.answer_id = kAnswer;
    body.start_at = to_wire(Position{1, 0});
    body.cut_to = wire::kNoCut;
    FrameTags tags;
    tags.type = wire::Type::hello;
    tags.session_id = session_id;
    tags.epoch = kBenchEpoch;
    AdmittedHello hello;
    build_hello(hello.message, tags, body);
    hello.message.peer = source;
    hello.answer_id = kAnswer;
    BL_ASSERT(ReplicaLaneProxy(queues_).admit(hello));
  }

  Journal journal_;
  MonotonicClock clock_;
  typename Cycle::Queues queues_;
  Cycle cycle_;
};

}  // namespace binlane::bench

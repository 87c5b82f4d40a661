// BenchSource: a source's production duty cycle with one replica, for benchmarks.
//
// Everything between "the binlog grew" and "tell the server" is the SourceCycle that binlaned runs;
// the binlog is a BenchStream, and the server only notes how far it was told. The session is agreed
// on beforehand (BenchReplica begins the same one), because handshakes are not what is measured.
// One thread owns it.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/lane/idle_strategy.h"
#include "dataplane/lane/source_cycle.h"
#include "lanes/bench_stream.h"
#include "lanes/counting_port.h"

namespace binlane::bench {

inline constexpr Epoch kBenchEpoch{1, 1};
inline constexpr std::uint64_t kBenchCluster = 1;

class BenchSource {
 public:
  BenchSource(AnyPort& port, const Endpoint& replica, std::uint64_t session_id,
              std::uint64_t window, AckLevel level, IdleMode idle, const std::string& folder);

  // One commit of `bytes`, from the turn that finds it to the turn whose ACK covers it; `unread`:
  // that turn reads them from the file first. False when the session is over or nothing came for
  // `bound_ns`.
  bool commit(std::uint64_t bytes, bool unread, std::uint64_t bound_ns);
  // The bytes are there at once; runs until the quorum covers all but `backlog` of them.
  bool bulk(std::uint64_t bytes, std::uint64_t backlog, std::uint64_t bound_ns);
  // Until a turn finds nothing to do: marks and late ACKs are out of the way.
  void settle();

  // Of the last commit().
  std::uint64_t took_ns() const noexcept { return took_ns_; }
  std::uint64_t frames() const noexcept { return frames_; }
  std::uint64_t covered() const noexcept { return server_.told.offset; }

 private:
  struct Server {
    std::size_t poll(const Position& quorum) noexcept {
      if (quorum == told) return 0;
      told = quorum;
      return 1;
    }
    void pause() noexcept {}
    void resume() noexcept {}
    Position told;
  };
  using Cycle = SourceCycle<CountingPort, BenchStream, Server, MonotonicClock>;

  bool turn_until(std::uint64_t covered, std::uint64_t bound_ns);

  CountingPort port_;
  CountingPort* ports_[1];
  BenchStream stream_;
  Server server_;
  MonotonicClock clock_;
  SourceLaneQueues queues_;
  Cycle cycle_;
  IdleStrategy idle_;
  std::uint64_t committed_ = 0;
  std::uint64_t took_ns_ = 0;
  std::uint64_t frames_ = 0;
};

}  // namespace binlane::bench

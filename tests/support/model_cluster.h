// ModelCluster: one source and up to five replicas in virtual time, by seed: the real duty cycles,
// sessions, handshakes, gate and journal over a faulty network and a slow disk.
//
// It checks while it runs: what the server was told that a quorum has is found by recovery on the
// platters of a quorum; what a replica archives is the source's stream and was synced there; no
// stall, no lost progress. A check that fails throws with the reason.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/lane/source_cycle.h"
#include "model_replica.h"

namespace binlane::test {

struct ClusterOptions {
  std::uint64_t seed = 1;
  std::uint32_t replicas = 2;
  std::uint32_t quorum = 1;
  AckLevel level = AckLevel::durable;
  LinkFaults faults;
  std::uint32_t journal_blocks = 256;
  std::uint32_t groups = 60;           // event groups that the server writes
  std::uint32_t largest_group = 3000;  // bytes
  std::uint64_t group_pause_ns = 400'000;
  double file_ends = 0.05;  // after a group
  std::uint32_t replica_crashes = 0;
  std::uint32_t source_crashes = 0;  // of the daemon; every second one takes the server along
  std::uint64_t stall_limit_ns = 0;  // longest time a quorum may take to move on; 0: not checked
  std::uint64_t time_limit_ns = 60 * kNanosPerSecond;
};

class ModelCluster {
 public:
  explicit ModelCluster(const ClusterOptions& options);

  // Runs until the server has written everything and all replicas have all of it, durable and
  // released. Throws std::runtime_error when a check fails or the time is up.
  void run();
  // One step of virtual time.
  void step();
  bool complete() const;

  VirtualClock& clock() { return clock_; }
  FakeNetwork& network() { return network_; }
  ModelReplica& replica(std::size_t index) { return *replicas_[index]; }
  std::uint64_t longest_stall_ns() const { return longest_stall_ns_; }
  std::uint64_t quorum_moves() const { return quorum_moves_; }
  std::uint64_t sessions() const { return sessions_; }
  std::uint64_t cuts() const { return cuts_; }  // sessions that began with a cut
  SourceMarks source_marks() const { return queues_->marks.load(); }
  // Runs around every duty cycle of a lane; for the counting allocator.
  std::function<void(bool entering)> around_turn;

 private:
  using Source = SourceCycle<FakePort, StreamOfLane, FakeServer, VirtualClock>;

  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  [[noreturn]] void fail(const std::string& why) const;
  void start_source();
  void crash_source(bool server_too);
  std::size_t turn_source();
  void run_source_control();
  void begin_handshake(std::size_t index);
  void write_and_sync();
  std::uint64_t crash_odds() const;
  void crash_and_restart();
  void check_quorum();
  void check_archives();
  void watch_stall();
  void advance(std::size_t work);

  ClusterOptions options_;
  std::mt19937_64 random_;
  VirtualClock clock_;
  FakeNetwork network_;
  // The source's host.
  MemoryStream stream_;
  FakePort port_;
  FakePort* ports_[1] = {&port_};
  StreamOfLane lane_stream_;
  FakeServer server_;
  std::unique_ptr<SourceLaneQueues> queues_;
  std::unique_ptr<Source> source_;
  std::vector<std::optional<SourceHandshake>> handshakes_;
  Epoch epoch_{1, 0};
  Uuid origin_;
  std::uint64_t synced_ = 0;  // true: what the source's disk has
  std::uint64_t sync_started_ = 0;
  std::uint64_t sync_done_ns_ = 0;
  bool syncing_ = false;
  std::uint64_t synced_told_ = 0;
  std::uint64_t safe_ = 0;            // min(synced, quorum), on record
  Position safe_at_start_;            // of this incarnation
  std::vector<SafeMark> safe_marks_;  // of the earlier ones
  std::uint32_t groups_left_;
  std::uint64_t next_group_ns_ = 0;
  std::uint64_t source_down_until_ns_ = 0;
  // Replicas.
  std::vector<std::unique_ptr<ModelReplica>> replicas_;
  std::vector<std::uint64_t> down_until_ns_;
  std::vector<std::uint64_t> archived_checked_;
  std::uint32_t replica_crashes_left_;
  std::uint32_t source_crashes_left_;
  // Checks.
  Position told_;
  std::uint64_t quorum_moves_ = 0;
  std::uint64_t sessions_ = 0;
  std::uint64_t cuts_ = 0;
  std::uint64_t waiting_since_ns_ = 0;
  std::uint64_t last_quorum_ = 0;
  std::uint64_t longest_stall_ns_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t idle_steps_ = 0;
  std::vector<std::byte> group_;
  std::vector<std::byte> compared_ = std::vector<std::byte>(4096);
};

}  // namespace binlane::test

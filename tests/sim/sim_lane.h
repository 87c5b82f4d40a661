// SimLane: a source's lane in virtual time: the production duty cycle, tailer, reader, sessions and
// gate over the simulated network, files and dump connection. World calls do_work() in place of a
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/stream/binlog_folders.h"
#include "control/stream/source_lane_over.h"
#include "sim_drain.h"
#include "support/fake_network.h"

namespace binlane::sim {

// Stands for SemiSyncLink and AckSender: the same rules, without a socket.
class SimLink {
 public:
  // `drain` is null if no server waits for the stream.
  explicit SimLink(SimDrain* drain) : drain_(drain) {}
  std::size_t poll(const Position& quorum) noexcept;
  void pause() noexcept { paused_ = true; }
  void resume() noexcept {
    paused_ = false;
    last_ = {};
  }
  void begin_incarnation(std::uint32_t incarnation) noexcept { incarnation_ = incarnation; }
  // This link holds nothing that the drain would have to get back.
  void detach() noexcept {}
  // Called with every position that is acknowledged to the server.
  std::function<void(Position)> told;

 private:
  SimDrain* drain_;
  std::uint32_t incarnation_ = 0;
  std::uint32_t generation_ = 0;
  bool paused_ = false;
  Position last_;
};
static_assert(SemiSyncServer<SimLink>);

class SimLane final
    : public SourceLaneOver<test::FakePort, const BinlogFolder, SimLink, test::VirtualClock> {
 public:
  // Reads datagrams of `peers` only. Everything given must outlive this object.
  SimLane(test::VirtualClock& clock, test::FakeNetwork& network, const Endpoint& local,
          BinlogFolders& folders, const PeerList& peers);
  // As when the process dies: whatever was not on the network yet is lost.
  ~SimLane() override;

  // Call it before the first bind(). `drain` is the connection for ACKs, and must outlive this
  // object.
  void use_drain(SimDrain& drain) { drain_ = &drain; }

  // LaneHandle.
  bool quiesce() override;
  void bind(const std::string& directory, const std::string& basename) override;

  // --- for checks
  // The end of what the lane reads; null while it is not bound.
  Position written() const;
  // Called with every position that is acknowledged to the server.
  std::function<void(Position)> told;

 private:
  BinlogFolders& folders_;
  test::FakePort port_;
  SimDrain* drain_ = nullptr;
};

}  // namespace binlane::sim

#include "sim_lane.h"

#include "base/assert.h"

namespace binlane::sim {

std::size_t SimLink::poll(const Position& quorum) noexcept {
  if (drain_ == nullptr) return 0;
  if (drain_->generation() != generation_) {
    generation_ = drain_->generation();
    last_ = {};
  }
  if (!drain_->connected() || paused_ || drain_->incarnation() != incarnation_ || quorum <= last_)
    return 0;
  last_ = quorum;
  drain_->acknowledge(quorum);
  if (told) told(quorum);
  return 1;
}

SimLane::SimLane(test::VirtualClock& clock, test::FakeNetwork& network, const Endpoint& local,
                 BinlogFolders& folders, const PeerList& peers)
    : SourceLaneOver({&port_}, peers, clock), folders_(folders), port_(network, local) {
  port_.discard();
}

SimLane::~SimLane() {
  port_.crash();
  port_.discard();
}

// The simulator has one thread, so it takes the lane's turn at once.
bool SimLane::quiesce() {
  queues().pause.request();
  do_work();
  BL_ASSERT(queues().pause.is_quiesced());
  return true;
}

void SimLane::bind(const std::string& directory, const std::string& basename) {
  bind_to(folders_.open(directory, basename), drain_);
  parts()->link.told = [this](Position position) {
    if (told) told(position);
  };
}

Position SimLane::written() const {
  return parts() != nullptr ? parts()->stream.tailer().written_position() : Position{};
}

}  // namespace binlane::sim

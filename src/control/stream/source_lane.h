// SourceLane: the daemon's source lane, over its ports, the server's binlog files and the dump
// connection. Made when the server's binlog is known.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "control/stream/semi_sync_link.h"
#include "control/stream/source_lane_over.h"
#include "dataplane/port/any_port.h"

namespace binlane {

class SourceLane final
    : public SourceLaneOver<AnyPort, PosixBinlogFiles, SemiSyncLink, MonotonicClock> {
 public:
  // `peers`: the replicas' addresses; the lane hears nobody else. Ports outlive this.
  SourceLane(std::vector<AnyPort*> ports, const PeerList& peers)
      : SourceLaneOver(std::move(ports), peers, monotonic_) {}

  // Before the first bind(): the connection on which it acknowledges, which outlives it.
  void use_drain(DumpDrain& drain) noexcept { drain_ = &drain; }

  bool quiesce() override;
  void bind(const std::string& directory, const std::string& basename) override;

 private:
  MonotonicClock monotonic_;
  DumpDrain* drain_ = nullptr;
};

}  // namespace binlane

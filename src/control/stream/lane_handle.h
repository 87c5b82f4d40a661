// LaneHandle: a source's lane, as control sees it. SourceLaneOver is the one implementation, which
// the daemon and the simulator set up over ports, files and a connection of their own.
//
// The lane runs by itself. Control reaches it through queues(); whatever else it does with a lane,
// it does between quiesce() and resume(), while the lane stands still.
#pragma once

#include <cstdint>
#include <string>

#include "base/epoch.h"
#include "dataplane/lane/source_lane_proxy.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/session/quorum_rule.h"
#include "shim/binlog/stream_counters.h"
#include "shim/binlog/stream_scan.h"
#include "shim/binlog/tail_event.h"

namespace binlane {

class LaneHandle {
 public:
  virtual ~LaneHandle() = default;

  // True: the lane stands still. False: it did not come to it in time, and does as soon as it can.
  virtual bool quiesce() = 0;
  virtual void resume() = 0;

  // --- while it stands still
  // Binds the lane to the files of a server, or of a sealed stream.
  virtual void bind(const std::string& directory, const std::string& basename) = 0;
  virtual bool bound() const = 0;
  // It only passes HELLOs on, and no stream is served.
  virtual void begin_looking() = 0;
  virtual void end_looking() = 0;
  // A new incarnation goes on after `start`. 0 or an errno. Needs bound().
  virtual int begin_incarnation(StreamStart& start, Epoch epoch, const QuorumRule& rule,
                                std::uint64_t now_ns) = 0;
  // Reads no further, until another incarnation begins. Needs bound(), as all that follow.
  virtual void stop_stream() = 0;
  // Lets go of the connection to the server on which it acknowledges.
  virtual void detach_server() = 0;
  // Forgets at most `bound` of the oldest files that the server has purged; call it again while it
  // returns true.
  virtual bool drop_purged(std::uint32_t bound) = 0;
  virtual TailView tail() const = 0;

  // At any time: how the binlog was read since bind(); zeros while it is not bound.
  virtual BinlogCounters counters() const = 0;
  // Control's ends of the queues, and the marks. At any time.
  virtual SourceLaneQueues& queues() = 0;
  SourceLaneProxy proxy() { return SourceLaneProxy(queues()); }
};

}  // namespace binlane

// SourceLane: everything a source's lane owns, and the way to rebuild it for a new incarnation.
//
// Made when the server's binlog is known. The lane runs do_work(); the control thread may touch the
// rest only between stand_still() and go_on().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/semi_sync_link.h"
#include "control/source_stream.h"
#include "dataplane/any_port.h"
#include "dataplane/hello_cycle.h"
#include "dataplane/source_cycle.h"

namespace binlane {

class SourceLane {
 public:
  using Stream = SourceStream<PosixBinlogFiles>;

  // `peers`: the replicas' addresses; the lane hears nobody else.
  SourceLane(std::vector<AnyPort*> ports, const PeerList& peers)
      : ports_(std::move(ports)), peers_(peers) {}

  // Lane's thread.
  std::size_t do_work() noexcept {
    if (queues_.pause.stand()) return 0;
    return looks_ ? looks_->do_work() : parts_->cycle.do_work();
  }
  std::size_t batch() const noexcept { return parts_ ? parts_->cycle.batch() : 0; }

  // Control thread: the lane stands still when it returns true; false when it did not come to it
  // within a second.
  bool stand_still();
  void go_on() noexcept { queues_.pause.resume(); }

  // While it stands still: binds the lane to a server's binlogs.
  void bind(const std::string& directory, const std::string& basename, DumpDrain& drain);
  bool bound() const noexcept { return parts_ != nullptr; }
  // While it stands still: it only passes HELLOs on, and no stream is served.
  void begin_looking();
  void end_looking();
  // While it stands still: a new incarnation goes on behind `start`. 0 or an errno.
  int begin_incarnation(StreamStart& start, Epoch epoch, const QuorumRule& rule,
                        std::uint64_t now_ns);
  // While it stands still.
  Stream& stream() noexcept { return parts_->stream; }
  SemiSyncLink& link() noexcept { return parts_->link; }

  SourceLaneQueues& queues() noexcept { return queues_; }

 private:
  using Cycle = SourceCycle<AnyPort, Stream, SemiSyncLink, MonotonicClock>;
  struct Parts {
    Parts(std::span<AnyPort* const> ports, PosixBinlogFiles binlogs, const std::string& basename,
          DumpDrain& drain, SourceLaneQueues& queues, const PeerList& peers)
        : files(std::move(binlogs)),
          stream(files),
          link(drain, basename),
          cycle(ports, stream, link, clock, queues, peers) {}
    PosixBinlogFiles files;
    Stream stream;
    SemiSyncLink link;
    MonotonicClock clock;
    Cycle cycle;
  };

  std::vector<AnyPort*> ports_;
  const PeerList peers_;
  SourceLaneQueues queues_;
  std::unique_ptr<Parts> parts_;
  std::optional<HelloCycle<AnyPort>> looks_;
};

}  // namespace binlane

// SourceLaneOver: a source's lane over whichever port, binlog files, connection to the server and
// clock there are, and how it is set up anew for a new incarnation. SourceLane is the daemon's; the
// simulator has one over its own network and files. They differ in what they bind to, and in how a
// lane comes to stand.
//
// The lane runs do_work(); the control thread may touch the rest only between quiesce() and
// resume().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "control/stream/lane_handle.h"
#include "control/stream/source_stream.h"
#include "dataplane/lane/hello_cycle.h"
#include "dataplane/lane/source_cycle.h"

namespace binlane {

template <Port P, class Files, class Link, Clock C>
class SourceLaneOver : public LaneHandle {
 public:
  using Stream = SourceStream<Files>;
  using Cycle = SourceCycle<P, Stream, Link, C>;

  SourceLaneOver(const SourceLaneOver&) = delete;
  SourceLaneOver& operator=(const SourceLaneOver&) = delete;

  // Lane's thread.
  std::size_t do_work() noexcept {
    if (queues_.pause.stand()) return 0;
    return looks_ ? looks_->do_work() : parts_->cycle.do_work();
  }
  std::size_t batch() const noexcept { return parts_ ? parts_->cycle.batch() : 0; }

  // Control thread.
  void resume() override {
    BL_ASSERT(bound() || looks_);
    queues_.pause.resume();
  }
  bool bound() const override { return parts_ != nullptr; }

  void begin_looking() override {
    BL_ASSERT(queues_.pause.is_quiesced());
    HelloMessage stale;
    while (queues_.hello_in.try_pop(stale)) {
    }
    looks_.emplace(std::span<P* const>(ports_), queues_);
  }
  void end_looking() override {
    BL_ASSERT(queues_.pause.is_quiesced());
    looks_.reset();
  }

  int begin_incarnation(StreamStart& start, Epoch epoch, const QuorumRule& rule,
                        std::uint64_t now_ns) override {
    BL_ASSERT(queues_.pause.is_quiesced() && bound() && !looks_);
    const int error = parts_->stream.start(start, now_ns);
    if (error != 0) return error;
    // Commands and events of the last incarnation mean nothing any more.
    proxy().forget_commands();
    SourceEvent event;
    while (queues_.events.try_pop(event)) {
    }
    parts_->cycle.rebuild(epoch, rule);
    parts_->link.begin_incarnation(epoch.incarnation);
    return 0;
  }
  void stop_stream() override {
    BL_ASSERT(queues_.pause.is_quiesced() && bound());
    parts_->stream.stop();
  }
  void detach_server() override {
    BL_ASSERT(queues_.pause.is_quiesced() && bound());
    parts_->link.detach();
  }
  bool drop_purged(std::uint32_t bound_files) override {
    BL_ASSERT(queues_.pause.is_quiesced() && bound());
    return parts_->stream.drop_purged(bound_files);
  }
  TailView tail() const override {
    BL_ASSERT(queues_.pause.is_quiesced() && bound());
    return parts_->stream.view();
  }
  BinlogCounters counters() const override {
    return parts_ ? parts_->stream.counters() : BinlogCounters{};
  }
  SourceLaneQueues& queues() override { return queues_; }
  const SourceLaneQueues& queues() const { return queues_; }

 protected:
  struct Parts {
    template <class... LinkArguments>
    Parts(SourceLaneOver& lane, std::unique_ptr<Files> binlogs, LinkArguments&&... arguments)
        : files(std::move(binlogs)),
          stream(*files),
          link(std::forward<LinkArguments>(arguments)...),
          cycle(lane.ports_, stream, link, lane.clock_, lane.queues_, lane.peers_) {}
    const std::unique_ptr<Files> files;
    Stream stream;
    Link link;
    Cycle cycle;
  };

  // `peers`: the replicas' addresses; the lane hears nobody else. Ports and clock outlive this.
  SourceLaneOver(std::vector<P*> ports, const PeerList& peers, C& clock)
      : ports_(std::move(ports)), peers_(peers), clock_(clock) {}

  // While the lane stands still: it reads `files` from now on, and acknowledges on a link made from
  // `arguments`.
  template <class... LinkArguments>
  void bind_to(std::unique_ptr<Files> files, LinkArguments&&... arguments) {
    BL_ASSERT(queues_.pause.is_quiesced() && files != nullptr);
    parts_.reset();
    parts_ =
        std::make_unique<Parts>(*this, std::move(files), std::forward<LinkArguments>(arguments)...);
  }
  // Null while it is not bound.
  Parts* parts() noexcept { return parts_.get(); }
  const Parts* parts() const noexcept { return parts_.get(); }

 private:
  const std::vector<P*> ports_;
  const PeerList peers_;
  C& clock_;
  SourceLaneQueues queues_;
  std::unique_ptr<Parts> parts_;
  std::optional<HelloCycle<P>> looks_;
};

}  // namespace binlane

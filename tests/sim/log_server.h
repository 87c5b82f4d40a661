// LogServer of the simulator: the production lane, tailer and handshakes over a copy of somebody
// else's stream, on a host's second endpoint. Glue, as the daemon's LogServer: keep them alike.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/stream_proof.h"
#include "source_host.h"
#include "support/fake_network.h"

namespace binlane::sim {

class LogServer {
 public:
  LogServer(test::VirtualClock& clock, test::FakeNetwork& network, Endpoint local,
            BinlogStore& files)
      : clock_(clock), network_(network), local_(local), view_(files) {}

  // Empty, or what went wrong.
  std::string begin(const SourceHandshake::Identity& identity, const QuorumRule& rule,
                    const std::vector<HandshakeDesk::Replica>& peers, std::uint64_t now_ns);
  void end();
  bool serving() const { return desk_ != nullptr; }
  std::size_t turn() { return cycle_ ? cycle_->do_work() : 0; }

  HandshakeDesk& desk() { return *desk_; }
  SourceMarks marks() const { return queues_->marks.load(); }
  void tell_synced(const Position& synced);
  BinlogView& view() { return view_; }

 private:
  using Stream = SourceStream<BinlogView>;
  using Cycle = SourceCycle<test::FakePort, Stream, Link, test::VirtualClock>;

  test::VirtualClock& clock_;
  test::FakeNetwork& network_;
  Endpoint local_;
  BinlogView view_;
  std::unique_ptr<test::FakePort> port_;
  test::FakePort* ports_[1] = {nullptr};
  Drain drain_;  // nobody is told of anything
  std::unique_ptr<SourceLaneQueues> queues_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Cycle> cycle_;
  std::unique_ptr<FileStreamProof<BinlogView>> proof_;
  std::unique_ptr<HandshakeDesk> desk_;
  bool synced_told_ = false;
};

}  // namespace binlane::sim

// The replica under test: its whole duty cycle over a log in memory, with a disk that completes
// when the script says so.
#include <fmt/format.h>

#include <deque>

#include "dataplane/lane/replica_cycle.h"
#include "dataplane/lane/replica_lane_proxy.h"
#include "side.h"
#include "support/memory_log.h"

namespace binlane::test {
namespace {

class ScriptDisk {
 public:
  void submit(const DiskWrite& write) { pending.push_back(write); }
  std::size_t reap(std::span<DiskCompletion> completions) {
    std::size_t count = 0;
    while (!done.empty() && count < completions.size()) {
      completions[count++] = done.front();
      done.pop_front();
    }
    return count;
  }
  void complete(std::size_t index, bool failing) {
    const DiskWrite write = pending.at(index);
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(index));
    done.push_back({write.id, failing ? -EIO : static_cast<std::int32_t>(write.length)});
  }

  std::deque<DiskWrite> pending;
  std::deque<DiskCompletion> done;
};
static_assert(Disk<ScriptDisk>);

class ReplicaSide final : public Side {
  using Cycle = ReplicaCycle<ScriptPort, ScriptDisk, MemoryLog, VirtualClock>;

 public:
  explicit ReplicaSide(const ScriptLine& head)
      : log_(static_cast<std::uint32_t>(head.field("blocks", 64)), 1U << 20),
        cycle_(port, disk_, log_, clock, queues_, kCluster, "r1", PeerList::anybody()) {
    head.allow({"blocks", "tick"});
    queues_.pause.resume();
    say_hello(wire::Phase::ask, kScriptSession, kScriptEpoch);
    say_hello(wire::Phase::start, kScriptSession, kScriptEpoch);
    port.sent.clear();
  }

  void apply(const ScriptLine& line) override {
    if (line.kind == ScriptLine::Kind::in) return receive(line);
    line.allow({"session", "epoch"});
    if (line.verb == "disk") {
      const bool failing = line.words.at(0) == "fails";
      const std::size_t index = line.words.at(0) == "second" ? 1 : 0;
      if (disk_.pending.size() <= index) throw ScriptError(line, "no such write in flight");
      disk_.complete(index, failing);
    } else if (line.verb == "archive") {
      log_.on_archived(log_.release_mark().sequence);
    } else if (line.verb == "restart_session") {
      say_hello(wire::Phase::ask, line.field("session", 8), epoch_of(line));
      say_hello(wire::Phase::start, line.field("session", 8), epoch_of(line));
      port.sent.clear();
    } else if (line.verb == "buffers") {
      port.buffers = line.word(0) != 0;
    } else {
      throw ScriptError(line, "unknown action: " + line.verb);
    }
  }

  std::size_t turn() override { return cycle_.do_work(); }
  void look() override { marks_ = queues_.marks.load(); }

  ScriptPacket describe(const FrameView& frame) const override {
    if (frame.type() != wire::Type::ack) return {"other", {}};
    const auto ack = body_as<wire::AckBody>(frame);
    std::string packets;
    for (std::uint64_t i = wire::kBitmapBits; i-- > 0;) {
      if (bit_of(ack, i))
        packets += fmt::format("{}{}", packets.empty() ? "" : ",", ack.largest_packet - i);
    }
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    return {"ack",
            {{"session", number(frame.header.session_id)},
             {"epoch", show_epoch(frame.epoch())},
             {"packet", number(frame.header.packet_number)},
             {"received", number(ack.received)},
             {"durable", number(ack.durable)},
             {"released", number(ack.released_seen)},
             {"window", number(ack.window_end)},
             {"packets", packets},
             {"delay", fmt::format("{}us", ack.ack_delay_ns / 1000)},
             {"failed", (ack.state & wire::kStateJournalFailed) != 0 ? "1" : "0"}}};
  }

  std::string value(const ScriptLine& line) const override {
    if (line.verb == "end") return to_string(log_.end());
    if (line.verb == "durable") return std::to_string(log_.durable_log());
    if (line.verb == "released") return std::to_string(log_.released_log());
    if (line.verb == "writes") return std::to_string(disk_.pending.size());
    if (line.verb == "duplicates") return std::to_string(marks_.receiver.duplicates);
    if (line.verb == "stale") return std::to_string(marks_.receiver.stale);
    if (line.verb == "no_room") return std::to_string(marks_.receiver.dropped_no_room);
    if (line.verb == "session") return marks_.connected ? "up" : "down";
    throw ScriptError(line, "unknown check: " + line.verb);
  }

  void finish() const override {
    for (std::uint64_t i = 0; i < log_.end_log(); ++i) {
      if (log_.file_end_at(i) == nullptr && log_.unit(i) != script_byte(i))
        throw ScriptError(fmt::format("the log holds another byte at {}", i));
    }
  }

 private:
  static constexpr std::uint64_t kCluster = 0xc1;

  // Scripts are not about the handshake, so it takes no time.
  void say_hello(wire::Phase phase, std::uint64_t session, Epoch epoch) {
    wire::HelloBody body;
    body.phase = static_cast<std::uint8_t>(phase);
    body.handshake_id = session;
    body.cluster_id = kCluster;
    body.cut_to = wire::kNoCut;
    body.start_at = to_wire(log_.released().is_null() ? Position{1, 0} : log_.released());
    AdmittedHello admitted;
    admitted.bound = true;
    build_hello(admitted.message,
                {wire::Type::hello, 0, phase == wire::Phase::start ? session : 0, epoch, 0}, body);
    admitted.message.peer = kFar;
    if (!ReplicaLaneProxy(queues_).admit(admitted)) throw ScriptError("the lane takes no HELLO");
    for (int i = 0; i < 4; ++i) {
      cycle_.do_work();
      while (!disk_.pending.empty()) disk_.complete(0, false);
    }
    cycle_.do_work();
  }
  void receive(const ScriptLine& line) {
    line.allow({"session", "epoch", "packet", "offset", "length", "file", "at", "synced",
                "released", "flags"});
    DataFrame frame;
    frame.session_id = line.field("session", kScriptSession);
    frame.epoch = epoch_of(line);
    frame.packet = line.field("packet", 0);
    frame.offset = line.field("offset", 0);
    frame.at = {static_cast<std::uint32_t>(line.field("file", 1)), line.field("at", frame.offset)};
    frame.synced = line.field("synced", 0);
    frame.released = line.field("released", 0);
    const auto flags = line.fields.find("flags");
    if (flags != line.fields.end()) {
      if (flags->second.find("ack_now") != std::string::npos) frame.flags |= wire::kFlagAckNow;
      if (flags->second.find("probe") != std::string::npos) frame.flags |= wire::kFlagProbe;
    }
    Bytes payload(line.field("length", 0));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = script_byte(frame.offset + i);
    if (line.verb == "file_end") {
      port.arrive(frame.file_end({frame.at.file, frame.at.offset, frame.at.offset, 0}));
    } else if (line.verb == "data" || line.verb == "marks") {
      port.arrive(frame.with(payload));
    } else {
      throw ScriptError(line, "a replica gets data, marks and file_end");
    }
  }

  ScriptDisk disk_;
  MemoryLog log_;
  Cycle::Queues queues_;
  Cycle cycle_;
  ReplicaLaneMarks marks_;
};

}  // namespace

std::unique_ptr<Side> make_replica_side(const ScriptLine& head) {
  return std::make_unique<ReplicaSide>(head);
}

}  // namespace binlane::test

// The source under test: its whole duty cycle over a stream in memory.
#include <fmt/format.h>

#include "dataplane/lane/source_cycle.h"
#include "dataplane/lane/source_lane_proxy.h"
#include "side.h"
#include "support/memory_stream.h"

namespace binlane::test {
namespace {

class SourceSide final : public Side {
 public:
  explicit SourceSide(const ScriptLine& head)
      : cycle_(ports_, lane_stream_, server_, clock, queues_, far()) {
    head.allow({"payload", "window", "durable", "quorum", "tick"});
    port.set_max_payload(static_cast<std::uint32_t>(wire::kDataOverhead +
                                                    head.field("payload", wire::kMinDataPayload)));
    const std::uint64_t durable = head.field("durable", 0);
    grow_to(durable);
    QuorumRule rule;
    rule.number = 1;
    rule.clause_count = 1;
    rule.clauses[0] = {0b1, 1};
    cycle_.rebuild(kScriptEpoch, rule);
    queues_.pause.resume();
    cycle_.do_work();
    start(kScriptSession, durable, head.field("window", 1U << 30));
    cycle_.do_work();
    port.sent.clear();
  }

  void apply(const ScriptLine& line) override {
    if (line.kind == ScriptLine::Kind::in) return receive(line);
    line.allow({"session", "durable", "window", "exposure", "hold"});
    if (line.verb == "written") {
      grow_to(line.word(0));
    } else if (line.verb == "file_end") {
      stream_.end_file();
    } else if (line.verb == "synced") {
      taken(lane().set_synced(stream_.position_of(line.word(0))));
    } else if (line.verb == "degraded") {
      const std::uint64_t exposure = line.field("exposure", 0);
      const bool hold = line.field("hold", 0) != 0;
      taken(line.word(0) != 0 ? lane().set_degraded(exposure, hold) : lane().end_degraded());
    } else if (line.verb == "exposure_known") {
      taken(lane().set_exposure_known(0, line.field("session", kScriptSession), line.word(0)));
    } else if (line.verb == "start") {
      start(line.field("session", kScriptSession), line.field("durable", 0),
            line.field("window", 1U << 30));
    } else if (line.verb == "buffers") {
      port.buffers = line.word(0) != 0;
    } else {
      throw ScriptError(line, "unknown action: " + line.verb);
    }
  }

  std::size_t turn() override { return cycle_.do_work(); }

  ScriptPacket describe(const FrameView& frame) const override {
    if (frame.type() != wire::Type::data) return {"other", {}};
    const auto body = body_as<wire::DataBody>(frame);
    const auto payload = frame.body.subspan(sizeof body);
    const std::uint16_t flags = frame.header.flags;
    const bool file_end = (flags & wire::kFlagFileEnd) != 0;
    if (!file_end) {
      for (std::size_t i = 0; i < payload.size(); ++i) {
        if (payload[i] != script_byte(body.stream_offset + i)) return {"wrong bytes", {}};
      }
    }
    std::string names;
    const auto name = [&](std::uint16_t flag, const char* text) {
      if ((flags & flag) != 0) names += (names.empty() ? "" : ",") + std::string(text);
    };
    name(wire::kFlagAckNow, "ack_now");
    name(wire::kFlagCatchUp, "catch_up");
    name(wire::kFlagProbe, "probe");
    ScriptPacket packet;
    packet.verb = file_end ? "file_end" : payload.empty() ? "marks" : "data";
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    packet.fields = {{"packet", number(frame.header.packet_number)},
                     {"session", number(frame.header.session_id)},
                     {"epoch", show_epoch(frame.epoch())},
                     {"offset", number(body.stream_offset)},
                     {"file", number(body.file_number)},
                     {"at", number(body.file_offset)},
                     {"length", number(file_end ? 1 : payload.size())},
                     {"synced", number(body.synced)},
                     {"released", number(body.released)},
                     {"flags", names.empty() ? "none" : names}};
    return packet;
  }

  std::string value(const ScriptLine& line) const override {
    const SenderCounters counters = marks_.replicas[0].counters;
    if (line.verb == "told") return to_string(server_.told);
    if (line.verb == "stale_acks") return std::to_string(counters.stale_acks);
    if (line.verb == "retransmits") return std::to_string(counters.retransmits);
    if (line.verb == "probes") return std::to_string(counters.probes);
    if (line.verb == "released") return std::to_string(marks_.released);
    if (line.verb == "strangers") return std::to_string(marks_.unknown_frames);
    if (line.verb == "session") return marks_.replicas[0].connected ? "up" : "down";
    if (line.verb == "event") return last_event_;
    throw ScriptError(line, "unknown check: " + line.verb);
  }

  void finish() const override {}

  void look() override {
    marks_ = queues_.marks.load();
    SourceEvent event;
    while (queues_.events.try_pop(event)) {
      constexpr const char* kNames[] = {"session_lost", "session_purged", "session_duplicate",
                                        "stream_stopped", "journal_failed"};
      last_event_ = kNames[static_cast<std::size_t>(event.kind)];
    }
  }

 private:
  void grow_to(std::uint64_t end) {
    Bytes bytes;
    while (stream_.written() + bytes.size() < end)
      bytes.push_back(script_byte(stream_.written() + bytes.size()));
    if (!bytes.empty()) stream_.append(bytes);
  }
  SourceLaneProxy lane() noexcept { return SourceLaneProxy(queues_); }
  static void taken(bool command) {
    if (!command) throw ScriptError("the lane takes no commands");
  }
  void start(std::uint64_t session, std::uint64_t durable, std::uint64_t window) {
    StartSession said;
    said.peer = kFar;
    said.epoch = kScriptEpoch;
    said.session_id = session;
    said.durable = SessionOffset{durable};
    said.window_end = SessionOffset{window};
    said.journal_id.bytes.fill(3);
    taken(lane().start_session(said));
  }
  void receive(const ScriptLine& line) {
    if (line.verb != "ack") throw ScriptError(line, "a source gets ACKs");
    line.allow({"session", "epoch", "received", "durable", "applied", "released", "window",
                "packets", "delay", "failed"});
    wire::AckBody ack;
    ack.received = line.field("received", 0);
    ack.durable = line.field("durable", 0);
    ack.applied = line.field("applied", 0);
    ack.released_seen = line.field("released", 0);
    ack.window_end = line.field("window", 0);
    const auto delay = line.fields.find("delay");
    if (delay != line.fields.end())
      ack.ack_delay_ns = static_cast<std::uint32_t>(parse_time(delay->second));
    if (line.field("failed", 0) != 0) ack.state = wire::kStateJournalFailed;
    const auto packets = line.fields.find("packets");
    if (packets != line.fields.end()) {
      const auto list = parse_list(packets->second);
      ack.largest_packet = list.back();
      for (const std::uint64_t packet : list) {
        const std::uint64_t distance = list.back() - packet;
        ack.bitmap[distance / 8] =
            static_cast<std::uint8_t>(ack.bitmap[distance / 8] | 1U << (distance % 8));
      }
    }
    const FrameTags tags{wire::Type::ack, 0, line.field("session", kScriptSession), epoch_of(line),
                         1};
    port.arrive(make_frame(tags, ack));
  }

  static PeerList far() {
    PeerList peers;
    BL_ASSERT(peers.add({0, kFar.ipv4, kFar.udp_port}));
    return peers;
  }

  ScriptPort* ports_[1] = {&port};
  MemoryStream stream_{1, 1U << 23};
  StreamOfLane lane_stream_{stream_};
  FakeServer server_;
  SourceLaneQueues queues_;
  SourceCycle<ScriptPort, StreamOfLane, FakeServer, VirtualClock> cycle_;
  SourceMarks marks_;
  std::string last_event_ = "none";
};

}  // namespace

std::unique_ptr<Side> make_source_side(const ScriptLine& head) {
  return std::make_unique<SourceSide>(head);
}

}  // namespace binlane::test

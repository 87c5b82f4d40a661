// Sessions: one packet's way through the sender's and the receiver's half, in order and with every
// n-th packet lost, so that gaps are found, reported and filled.
#include <array>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "counted.h"
#include "dataplane/session/receiver_session.h"
#include "dataplane/session/sender_session.h"

namespace binlane::bench {
namespace {

constexpr Epoch kEpoch{1, 1};
constexpr std::uint64_t kSession = 7;
constexpr std::uint32_t kPayload = 256;
constexpr std::uint64_t kSessionTurnNs = 10 * kNanosPerMicro;

// A log that keeps nothing: what is measured is the session.
class CountingLog {
 public:
  bool append(Position at, ConstBytes bytes) {
    BL_ASSERT(at == end());
    length_ += bytes.size();
    return true;
  }
  bool append_file_end(const FileEnd&) { return false; }
  Position end() const { return {1, length_}; }
  std::uint64_t end_log() const { return length_; }
  std::uint64_t durable_log() const { return length_; }
  std::uint32_t free_blocks() const { return 1U << 16; }
  std::uint32_t block_count() const { return 1U << 16; }
  void release(std::uint64_t) {}

 private:
  std::uint64_t length_ = 0;
};

class Pair {
 public:
  // Every `lose_every`-th DATA frame never arrives; 0: all arrive.
  explicit Pair(std::uint64_t lose_every) : lose_every_(lose_every), receiver_(kPayload) {
    SenderSession::Start start;
    start.session_id = kSession;
    start.epoch = kEpoch;
    start.window_end = SessionOffset{kWindow};
    start.max_payload = kPayload;
    start.now_ns = now_ns_;
    sender_.start(start);
    receiver_.start(kSession, kEpoch, 0, log_);
  }

  // One more commit of one packet: written, sent, taken (or lost), acknowledged.
  void commit() {
    written_ += kPayload;
    now_ns_ += kSessionTurnNs;
    sender_.begin_turn(SessionOffset{written_}, {}, now_ns_);
    while (const auto plan = sender_.next(now_ns_)) {
      const auto length = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(plan->max_length, written_ - plan->offset.value));
      sender_.on_sent(*plan, length, now_ns_);
      ++frames_;
      if (lose_every_ == 0 || frames_ % lose_every_ != 0) deliver(*plan, length);
    }
    if (!receiver_.ack_due(log_, now_ns_)) return;
    const wire::AckBody ack = receiver_.make_ack(log_, 0, now_ns_);
    BL_ASSERT(sender_.on_ack(kSession, kEpoch, ack, now_ns_));
  }
  std::uint64_t received() const { return sender_.received().value; }
  std::uint64_t written() const { return written_; }
  const SenderCounters& counters() const { return sender_.counters(); }

 private:
  static constexpr std::uint64_t kWindow = std::uint64_t{1} << 60;

  // As decode() would hand it over; the frame's own cost is in frame_bench.
  void deliver(const SendPlan& plan, std::uint32_t length) {
    wire::DataBody body;
    body.stream_offset = plan.offset.value;
    body.file_offset = plan.offset.value;
    body.file_number = 1;
    std::memcpy(body_.data(), static_cast<const void*>(&body), sizeof body);
    FrameView view;
    view.header.type = static_cast<std::uint8_t>(wire::Type::data);
    view.header.flags = plan.flags;
    view.header.session_id = kSession;
    view.header.epoch = to_wire(kEpoch);
    view.header.packet_number = plan.packet_number;
    view.body = ConstBytes(body_).first(sizeof body + length);
    receiver_.on_data(view, log_, now_ns_);
  }

  std::uint64_t lose_every_;
  std::uint64_t now_ns_ = kNanosPerSecond;
  std::uint64_t written_ = 0;
  std::uint64_t frames_ = 0;
  std::array<std::byte, sizeof(wire::DataBody) + kPayload> body_{};
  CountingLog log_;
  SenderSession sender_;
  ReceiverSession receiver_;
};

// arg: one packet in this many is lost; 0: none.
void track(benchmark::State& state) {
  const auto pair = std::make_unique<Pair>(static_cast<std::uint64_t>(state.range(0)));
  run_counted(state, [&] { pair->commit(); });
  const std::uint64_t behind = pair->written() - pair->received();
  if (behind > std::uint64_t{kMaxInFlight} * kPayload) state.SkipWithError("a gap was not filled");
  state.counters["retransmits"] = benchmark::Counter(
      static_cast<double>(pair->counters().retransmits), benchmark::Counter::kAvgIterations);
}
BENCHMARK(track)->Name("gap_tracking/one_lost_in")->Arg(0)->Arg(1000)->Arg(100)->Arg(20);

}  // namespace
}  // namespace binlane::bench

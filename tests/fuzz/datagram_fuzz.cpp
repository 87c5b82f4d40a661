// Datagrams of any content, to both ends of a running session: the frame decoder, the receiver with
// a real journal, and the sender.
//
// An input is a list of records {control, chunk}. The chunk is a datagram. Bit 0 of the control
// byte asks for a correct header (magic, length, checksum), and bit 1 for the running session's id.
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/session/receiver_session.h"
#include "dataplane/session/sender_session.h"
#include "fuzz_frames.h"
#include "fuzz_journal.h"
#include "fuzz_target.h"

namespace {

using namespace binlane;

constexpr std::uint64_t kSession = 7;
constexpr Epoch kEpoch{1, 1};
constexpr std::uint32_t kMaxPayload = wire::kMinDataPayload;
// The receiver's, small: more of an input becomes frames. A peer may send more, up to a jumbo
// frame.
constexpr std::uint32_t kReceiverPayload = 256;
constexpr std::size_t kMaxDatagram = 9'000;
constexpr std::uint64_t kStepNs = 300 * kNanosPerMicro;

enum Control : std::uint8_t {
  kSealed = 1 << 0,
  kOurs = 1 << 1,
  kComplete = 1 << 2,  // writes in flight end
  kArchive = 1 << 3,
  kWrite = 1 << 4,   // the source's server writes
  kSecond = 1 << 5,  // a second goes by
};

class Ends {
 public:
  Ends() {
    journal_.begin({1, 4}, kEpoch);
    receiver_.start(kSession, kEpoch, journal_->released_log(), *journal_);
    SenderSession::Start start;
    start.session_id = kSession;
    start.epoch = kEpoch;
    start.window_end = SessionOffset{1 << 20};
    start.max_payload = kMaxPayload;
    start.now_ns = now_ns_;
    sender_->start(start);
  }

  void take(std::uint8_t control, const FrameView* frame) {
    now_ns_ += (control & kSecond) != 0 ? kNanosPerSecond : kStepNs;
    if ((control & kWrite) != 0) written_ += 5'000;
    send();
    if (frame != nullptr && frame->type() == wire::Type::ack) take_ack(*frame);
    if (frame != nullptr && frame->type() == wire::Type::data) {
      receiver_.on_data(*frame, *journal_, now_ns_);
    }
    receiver_.poll(*journal_);
    if ((control & kComplete) != 0) journal_.complete_writes();
    if ((control & kArchive) != 0) journal_.archive();
    check_receiver();
  }

 private:
  void send() {
    sender_->begin_turn(written_, {written_, durable_seen_}, now_ns_);
    std::size_t frames = 0;
    while (const auto plan = sender_->next(now_ns_)) {
      BL_ASSERT(++frames <= 2 * kMaxInFlight);
      BL_ASSERT(plan->offset <= written_ && plan->max_length <= kMaxPayload);
      const std::uint64_t length =
          std::min<std::uint64_t>(plan->max_length, written_ - plan->offset);
      sender_->on_sent(*plan, static_cast<std::uint32_t>(length), now_ns_);
      sent_ = std::max(sent_, plan->offset + length);
    }
  }

  void take_ack(const FrameView& frame) {
    const SessionOffset durable = sender_->durable();
    const SessionOffset received = sender_->received();
    const bool taken = sender_->on_ack(frame.header.session_id, frame.epoch(),
                                       body_as<wire::AckBody>(frame), now_ns_);
    BL_ASSERT(!taken || (frame.header.session_id == kSession && frame.epoch() == kEpoch));
    BL_ASSERT(taken || (sender_->durable() == durable && sender_->received() == received));
    BL_ASSERT(sender_->durable() >= durable && sender_->received() >= received);
    BL_ASSERT(sender_->applied() <= sender_->durable());
    BL_ASSERT(sender_->durable() <= sender_->received() && sender_->received() <= sent_);
    durable_seen_ = sender_->durable();
  }

  void check_receiver() {
    BL_ASSERT(journal_->end_log() >= end_log_);
    end_log_ = journal_->end_log();
    if (!receiver_.active() || !receiver_.ack_due(*journal_, now_ns_)) return;
    const wire::AckBody ack = receiver_.make_ack(*journal_, 0, now_ns_);
    const std::uint64_t durable = ack.durable;
    BL_ASSERT(durable <= ack.received && durable >= durable_told_);
    BL_ASSERT(receiver_.origin_log() + durable == journal_->durable_log());
    BL_ASSERT(receiver_.origin_log() + ack.received == journal_->end_log());
    BL_ASSERT(ack.window_end >= window_told_);
    durable_told_ = durable;
    window_told_ = ack.window_end;
  }

  fuzz::FuzzJournal journal_;
  ReceiverSession receiver_{kReceiverPayload};
  std::unique_ptr<SenderSession> sender_ = std::make_unique<SenderSession>();
  std::uint64_t now_ns_ = kNanosPerSecond;
  SessionOffset written_{3'000};
  SessionOffset sent_{0};
  SessionOffset durable_seen_{0};
  std::uint64_t durable_told_ = 0;
  std::uint64_t window_told_ = 0;
  std::uint64_t end_log_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Ends ends;
  while (!input.empty()) {
    const std::uint8_t control = input.byte();
    const ConstBytes chunk = input.chunk();
    std::vector<std::byte> datagram(chunk.begin(), chunk.end());
    if ((control & kSealed) != 0) {
      FrameTags tags = fuzz::tags_of(datagram);
      if ((control & kOurs) != 0) tags.session_id = kSession;
      if ((control & kOurs) != 0) tags.epoch = kEpoch;
      if (datagram.size() > kMaxDatagram) datagram.resize(kMaxDatagram);
      fuzz::finish_datagram(datagram, tags);
    }
    FrameView frame;
    const FrameFault fault = decode(datagram, frame);
    if (fault == FrameFault::none) fuzz::check_round_trip(frame, datagram);
    BL_ASSERT(fault == FrameFault::none || (control & kSealed) == 0);
    ends.take(control, fault == FrameFault::none ? &frame : nullptr);
  }
  return 0;
}

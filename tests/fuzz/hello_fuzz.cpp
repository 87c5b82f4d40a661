// Both halves of a handshake, each with a peer that says anything.
//
// An input is {which, records}. For the source's half a record is {control, chunk}: the chunk is
// the body of a HELLO_ACK; bit 0 of the control byte makes it answer what was asked. For the
// replica's half the chunk is the body of a HELLO and the control byte says what its control thread
// made of it.
#include <algorithm>
#include <memory>
#include <vector>

#include "dataplane/session/replica_handshake.h"
#include "dataplane/session/sender_session.h"
#include "dataplane/session/source_handshake.h"
#include "fuzz_frames.h"
#include "fuzz_journal.h"
#include "fuzz_target.h"
#include "support/memory_stream.h"

namespace {

using namespace binlane;

constexpr std::uint64_t kCluster = 0xc1;
constexpr std::uint64_t kStepNs = 120 * kNanosPerMilli;
constexpr Epoch kEpoch{2, 3};
constexpr Endpoint kPeer{2, 2};
constexpr std::size_t kMaxRecords = 64;
// No DATA comes here.
constexpr std::uint32_t kReceiverPayload = 64;

enum Control : std::uint8_t {
  kAnswers = 1 << 0,    // echoes handshake, phase, range and session
  kBound = 1 << 1,      // the replica's control thread knows it to hear answers
  kRefused = 1 << 2,    // the replica's control thread refuses
  kNewEpoch = 1 << 3,   // of the source's newest incarnation
  kComplete = 1 << 4,   // writes in flight end
  kSession = 1 << 5,    // names a session
  kSameAgain = 1 << 6,  // handshake id as before
};

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 >> 2);
  return bytes;
}

template <class Body>
Body body_from(ConstBytes chunk) {
  Body body;
  std::memcpy(static_cast<void*>(&body), chunk.data(), std::min(chunk.size(), sizeof body));
  return body;
}

template <class Body>
std::vector<std::byte> frame_of(const FrameTags& tags, const Body& body) {
  std::vector<std::byte> frame(sizeof(wire::Header) + sizeof body);
  std::memcpy(frame.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
  finish_frame(frame, tags, sizeof body);
  return frame;
}

void run_source(fuzz::Input& input) {
  test::MemoryStream stream(3, 1U << 14);
  stream.append(pattern(3'000));
  stream.end_file();
  stream.append(pattern(2'000));
  const std::uint8_t shape = input.byte();
  if ((shape & 1) != 0) stream.purge(4);
  const Position safe = stream.position_of(1'000);
  SourceHandshake::Identity identity;
  identity.cluster_id = kCluster;
  identity.origin.bytes.fill(9);
  identity.candidate = identity.origin;
  identity.epoch = kEpoch;
  identity.source_name = "s";
  identity.replica_name = "r1";
  identity.basename = "binlog";
  identity.stream_term = 2;
  identity.inspect = (shape & 2) != 0;
  SourceHandshake handshake(identity, stream, safe, {{{2, 1}, stream.position_of(500)}});

  std::uint64_t now_ns = kNanosPerSecond;
  wire::HelloBody asked;
  FrameTags asked_tags;
  for (std::size_t i = 0; i < kMaxRecords && !input.empty() && !handshake.session(); ++i) {
    now_ns += kStepNs;
    HelloMessage message;
    if (handshake.poll(now_ns, message)) {
      FrameView view;
      BL_ASSERT(decode(message.frame(), view) == FrameFault::none);
      BL_ASSERT(view.type() == wire::Type::hello && view.epoch() == kEpoch);
      asked = body_as<wire::HelloBody>(view);
      asked_tags.session_id = view.header.session_id;
      BL_ASSERT(asked.cluster_id == kCluster);
      BL_ASSERT(asked.compare_from <= asked.compare_to);
    }
    const std::uint8_t control = input.byte();
    auto reply = body_from<wire::HelloAckBody>(input.chunk());
    if ((control & kAnswers) != 0) {
      reply.handshake_id = asked.handshake_id;
      reply.cluster_id = kCluster;
      reply.phase = asked.phase;
      std::copy(identity.origin.bytes.begin(), identity.origin.bytes.end(), reply.origin);
      reply.stream_term = identity.stream_term;
      set_field(reply.replica_name, "r1");
      if (asked.phase == static_cast<std::uint8_t>(wire::Phase::compare)) {
        reply.digest_from = asked.compare_from;
        reply.digest_to = asked.compare_to;
      }
    }
    FrameTags tags{wire::Type::hello_ack, 0, asked_tags.session_id, kEpoch, 1};
    const auto frame = frame_of(tags, reply);
    FrameView view;
    BL_ASSERT(decode(frame, view) == FrameFault::none);
    handshake.on_reply(view, kPeer, now_ns);
  }
  if (handshake.inspection()) {
    BL_ASSERT(identity.inspect && !handshake.session());
    BL_ASSERT(handshake.inspection()->common <= stream.position_of(stream.written()));
  }
  if (!handshake.session()) return;
  BL_ASSERT(!identity.inspect);
  // Whatever the replica said: nothing that was safe is cut, and the session is within the stream.
  const SourceHandshake::Session& session = *handshake.session();
  BL_ASSERT(handshake.refusal().empty());
  BL_ASSERT(session.session_id != 0);
  BL_ASSERT(session.origin <= stream.written());
  BL_ASSERT(session.durable.value <= stream.written() - session.origin);
  if (session.cut > 0) {
    BL_ASSERT(stream.position_of(session.origin + session.durable.value) >=
              stream.position_of(500));
  }
  // The sender accepts it, and continues with sane plans.
  auto sender = std::make_unique<SenderSession>();
  SenderSession::Start start;
  start.session_id = session.session_id;
  start.epoch = kEpoch;
  start.durable = session.durable;
  start.window_end = session.window_end;
  start.now_ns = now_ns;
  sender->start(start);
  const SessionOffset written{stream.written() - session.origin};
  sender->begin_turn(written, {}, now_ns);
  for (std::size_t frames = 0; const auto plan = sender->next(now_ns); ++frames) {
    BL_ASSERT(frames < 2 * kMaxInFlight && plan->offset <= written);
    const std::uint64_t length = std::min<std::uint64_t>(plan->max_length, written - plan->offset);
    sender->on_sent(*plan, static_cast<std::uint32_t>(length), now_ns);
  }
}

void run_replica(fuzz::Input& input) {
  fuzz::FuzzJournal journal;
  const std::uint8_t shape = input.byte();
  if ((shape & 1) != 0) {
    journal.begin({3, 0}, {2, 2});
    BL_ASSERT(journal->append({3, 0}, pattern(9'000)));
    BL_ASSERT(journal->append_file_end({3, 9'000, 8'000, 0}));
    BL_ASSERT(journal->append({4, 0}, pattern(500)));
    journal.complete_writes();
    journal->release(4'000);
  }
  ReplicaHandshake handshake(kCluster, "r1");
  auto session = std::make_unique<ReceiverSession>(kReceiverPayload);
  std::uint64_t last_id = 1;
  for (std::size_t i = 0; i < kMaxRecords && !input.empty(); ++i) {
    const std::uint8_t control = input.byte();
    auto body = body_from<wire::HelloBody>(input.chunk());
    if ((control & kSameAgain) != 0) body.handshake_id = last_id;
    last_id = body.handshake_id;
    if ((control & kAnswers) != 0) body.start_at = to_wire(journal->released());
    AdmittedHello hello;
    const Epoch epoch = (control & kNewEpoch) != 0 ? kEpoch : Epoch{2, 2};
    const FrameTags tags{wire::Type::hello, 0, (control & kSession) != 0 ? std::uint64_t{77} : 0,
                         epoch, 0};
    build_hello(hello.message, tags, body);
    hello.message.peer = kPeer;
    hello.refused = (control & kRefused) != 0;
    hello.bound = (control & kBound) != 0;
    set_field(hello.reason, "no");

    const Position released = journal->released();
    const Epoch before = journal->epoch();
    HelloMessage reply;
    const bool answered = handshake.on_hello(hello, *journal, *session, 0, reply);
    if (answered) {
      FrameView view;
      BL_ASSERT(decode(reply.frame(), view) == FrameFault::none);
      BL_ASSERT(view.type() == wire::Type::hello_ack);
      const auto ack = body_as<wire::HelloAckBody>(view);
      BL_ASSERT(ack.handshake_id == body.handshake_id && ack.digest_count <= wire::kDigests);
      BL_ASSERT(ack.digest_from <= ack.digest_to && ack.digest_to <= ack.log_length);
      const auto status = static_cast<wire::HelloStatus>(ack.status);
      BL_ASSERT(!hello.refused || status == wire::HelloStatus::refused);
    }
    if (handshake.poll(*journal, *session, 0, reply)) {
      FrameView view;
      BL_ASSERT(decode(reply.frame(), view) == FrameFault::none);
      const auto ack = body_as<wire::HelloAckBody>(view);
      // What it says about the log is said when all of that is durable.
      BL_ASSERT(journal->idle() && journal->durable_log() == journal->end_log());
      const bool started = ack.status == static_cast<std::uint8_t>(wire::HelloStatus::started);
      BL_ASSERT(!started || (session->active() && session->session_id() == 77));
      BL_ASSERT(!started || journal->epoch() == session->epoch());
      BL_ASSERT(!started || journal->records_durable());
    }
    if ((control & kComplete) != 0) journal.complete_writes();
    BL_ASSERT(journal->released() >= released && journal->epoch() >= before);
    BL_ASSERT(journal->end_log() >= journal->released_log());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if ((input.byte() & 1) != 0) {
    run_source(input);
  } else {
    run_replica(input);
  }
  return 0;
}

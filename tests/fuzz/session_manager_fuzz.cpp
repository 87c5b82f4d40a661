// The source's handshakes with all its replicas, as its control thread runs them, with replicas
// that say anything and strangers who say it as well.
//
// An input is records of {control, chunk}: the chunk is the body of a HELLO_ACK. Control: bits 0
// and 1: which replica it is about; bit 2: it comes from another address; bit 3: it answers what
// was asked last; bit 4: another type of event: the lane lost that replica's session; bit 5: its
// status is STARTED; bit 6: the rule changes; bit 7: a new incarnation.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "control/stream/session_manager.h"
#include "dataplane/session/sender_session.h"
#include "fuzz_target.h"
#include "support/memory_stream.h"

namespace {

using namespace binlane;

constexpr std::uint64_t kCluster = 0xc1;
constexpr std::uint64_t kStepNs = 30 * kNanosPerMilli;
constexpr std::size_t kReplicas = 3;
constexpr std::size_t kMaxRecords = 128;
constexpr Endpoint kStranger{99, 7100};

enum Control : std::uint8_t {
  kReplicaBits = 3,
  kForeign = 1 << 2,
  kAnswers = 1 << 3,
  kLost = 1 << 4,
  kStarted = 1 << 5,
  kRule = 1 << 6,
  kIncarnation = 1 << 7,
};

Endpoint address_of(std::size_t replica) {
  return {static_cast<std::uint32_t>(10 + replica), 7100};
}

std::string name_of(std::size_t replica) {
  return "r" + std::to_string(replica + 1);
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 >> 2);
  return bytes;
}

struct Source {
  test::MemoryStream stream{3, 1U << 14};
  std::unique_ptr<SourceLaneQueues> queues = std::make_unique<SourceLaneQueues>();
  SessionManager sessions;
  SourceHandshake::Identity identity;
  std::uint64_t now_ns = kNanosPerSecond;
  std::array<wire::HelloBody, kReplicas> asked;
  std::array<std::uint64_t, kReplicas> asked_session{};

  Source() : sessions(replicas(), stream, *queues) {
    stream.append(pattern(3'000));
    stream.end_file();
    stream.append(pattern(2'000));
    identity.cluster_id = kCluster;
    identity.origin.bytes.fill(9);
    identity.candidate = identity.origin;
    identity.epoch = {2, 3};
    identity.source_name = "s";
    identity.basename = "binlog";
    identity.stream_term = 2;
    begin();
  }
  static std::vector<SessionManager::Replica> replicas() {
    std::vector<SessionManager::Replica> all;
    for (std::size_t i = 0; i < kReplicas; ++i) all.push_back({name_of(i), 0, address_of(i)});
    return all;
  }
  void begin() {
    sessions.begin_incarnation(identity, stream.position_of(1'000),
                               {{{2, 1}, stream.position_of(500)}});
  }
  void poll() {
    now_ns += kStepNs;
    sessions.poll(now_ns);
    HelloMessage message;
    while (queues->hello_out.try_pop(message)) {
      FrameView view;
      BL_ASSERT(decode(message.frame(), view) == FrameFault::none);
      BL_ASSERT(view.type() == wire::Type::hello && view.epoch() == identity.epoch);
      const std::size_t replica = message.peer.ipv4 - 10;
      BL_ASSERT(replica < kReplicas && message.peer == address_of(replica));
      asked[replica] = body_as<wire::HelloBody>(view);
      asked_session[replica] = view.header.session_id;
      BL_ASSERT(field_text(asked[replica].replica_name) == name_of(replica));
    }
  }
  HelloMessage reply(std::size_t replica, std::uint8_t control, ConstBytes chunk) const {
    wire::HelloAckBody body;
    std::memcpy(static_cast<void*>(&body), chunk.data(), std::min(chunk.size(), sizeof body));
    if ((control & kAnswers) != 0) {
      body.handshake_id = asked[replica].handshake_id;
      body.cluster_id = kCluster;
      body.phase = asked[replica].phase;
      std::copy(identity.origin.bytes.begin(), identity.origin.bytes.end(), body.origin);
      body.stream_term = identity.stream_term;
      set_field(body.replica_name, name_of(replica));
      if (body.phase == static_cast<std::uint8_t>(wire::Phase::compare)) {
        body.digest_from = asked[replica].compare_from;
        body.digest_to = asked[replica].compare_to;
      }
      if ((control & kStarted) != 0)
        body.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
    }
    HelloMessage message;
    message.peer = (control & kForeign) != 0 ? kStranger : address_of(replica);
    build_hello(message, {wire::Type::hello_ack, 0, asked_session[replica], identity.epoch, 0},
                body);
    return message;
  }
  // What the lane is told satisfies what it will assert.
  void check_commands() const {
    SourceCommand taken;
    while (queues->commands.try_pop(taken)) {
      if (const auto* stop = std::get_if<StopSession>(&taken)) BL_ASSERT(stop->replica < kReplicas);
      if (!std::holds_alternative<StartSession>(taken)) continue;
      const auto& command = std::get<StartSession>(taken);
      BL_ASSERT(command.replica < kReplicas);
      BL_ASSERT(command.session_id != 0 && command.peer == address_of(command.replica));
      BL_ASSERT(command.origin <= stream.written());
      BL_ASSERT(command.durable.value <= stream.written() - command.origin);
      auto sender = std::make_unique<SenderSession>();
      SenderSession::Start start;
      start.session_id = command.session_id;
      start.epoch = command.epoch;
      start.durable = command.durable;
      start.window_end = command.window_end;
      start.now_ns = now_ns;
      sender->start(start);
      sender->begin_turn(SessionOffset{stream.written() - command.origin}, {}, now_ns);
    }
  }
};

struct Seen {
  std::string refusal;
  std::uint64_t sessions;
  std::uint32_t promised;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> seen(const SessionManager& sessions) {
  std::vector<Seen> all;
  for (const SessionManager::ReplicaView& view : sessions.view())
    all.push_back({view.refusal, view.sessions, view.promised_term});
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  auto source = std::make_unique<Source>();
  for (std::size_t i = 0; i < kMaxRecords && !input.empty(); ++i) {
    source->poll();
    const std::uint8_t control = input.byte();
    const std::size_t replica = (control & kReplicaBits) % kReplicas;
    if ((control & kIncarnation) != 0) {
      ++source->identity.epoch.incarnation;
      source->begin();
    }
    if ((control & kRule) != 0) source->sessions.change_rule("ANY 2 (r1, r2)", false);
    if ((control & kLost) != 0) {
      SourceEvent event;
      event.replica = static_cast<std::uint32_t>(replica);
      source->sessions.on_event(event, source->now_ns);
      source->check_commands();
      continue;
    }
    const HelloMessage message = source->reply(replica, control, input.chunk());
    const auto before = seen(source->sessions);
    const std::uint32_t deposed = source->sessions.deposed_by();
    const bool fresh = source->sessions.needs_fresh_proof(message);
    source->sessions.on_reply(message, source->now_ns);
    if (message.peer == kStranger) {
      // A stranger changes nothing, and costs the lane nothing.
      BL_ASSERT(!fresh && seen(source->sessions) == before &&
                source->sessions.deposed_by() == deposed);
    }
    BL_ASSERT(source->sessions.deposed_by() >= deposed);
    source->check_commands();
  }
  return 0;
}

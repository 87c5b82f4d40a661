// ReplicaControlTest: a whole ReplicaSide on a kernel UDP socket; the test acts as the source, or
// as a sender that forges one.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "control/replica/replica_control.h"
#include "control/replica/replica_side.h"
#include "control/replica/system_replica_platform.h"
#include "support/temporary_directory.h"

namespace binlane {

inline constexpr std::uint32_t kLoopback = 0x7f000001;
inline constexpr std::uint64_t kBoundNs = 20 * kNanosPerSecond;
inline constexpr std::uint64_t kRepeatNs = 50 * kNanosPerMilli;

inline Uuid uuid(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = number;
  id.bytes[15] = 0x33;
  return id;
}

inline PortConfig udp_port() {
  PortConfig config;
  config.spec = {PortKind::udp, ""};
  config.local = {kLoopback, 0};
  return config;
}

// A source's HELLO, with what most cases have in common.
struct Hello {
  Epoch epoch{1, 1};
  wire::HelloBody body;

  explicit Hello(wire::Phase phase, Epoch of = {1, 1}, std::uint8_t candidate = 1) : epoch(of) {
    body.phase = static_cast<std::uint8_t>(phase);
    body.cluster_id = cluster_id_of("test");
    set_field(body.source_name, "a");
    set_field(body.replica_name, "b");
    set_field(body.basename, "binlog");
    set_field(body.rule, "ANY 1 (b, c)");
    set_stream(uuid(101), 1);
    const Uuid id = uuid(candidate);
    std::copy(id.bytes.begin(), id.bytes.end(), body.candidate);
    body.first = to_wire(Position{1, 0});
    body.written = to_wire(Position{1, 500});
    body.start_at = to_wire(Position{1, 0});
    body.cut_to = wire::kNoCut;
  }
  Hello& set_stream(const Uuid& origin, std::uint32_t term) {
    std::copy(origin.bytes.begin(), origin.bytes.end(), body.origin);
    body.stream_term = term;
    return *this;
  }
  Hello& set_sealed(const Uuid& origin, std::uint32_t term, Position at) {
    std::copy(origin.bytes.begin(), origin.bytes.end(), body.sealed_origin);
    body.sealed_term = term;
    body.sealed_at = to_wire(at);
    return *this;
  }
};

class ReplicaControlTest : public ::testing::Test {
 protected:
  ReplicaControlTest() : source_(udp_port()) {
    config_.name = "b";
    config_.cluster = "test";
    config_.data_dir = folder_.path();
    ReplicaConfig& replica = config_.replica.emplace();
    replica.journal = folder_.file("journal");
    replica.archive = folder_.file("archive");
    replica.journal_size_mb = 1;
    replica.danger_buffered_journal = true;
    replica.feed_listen = {kLoopback, 0};
    open();
  }
  ~ReplicaControlTest() override { close(); }

  void open() {
    port_ = std::make_unique<AnyPort>(udp_port());
    platform_ = std::make_unique<SystemReplicaPlatform>(config_, *port_);
    side_ = std::make_unique<ReplicaSide>(config_, *platform_);
    side_->lane().resume();
    stop_ = false;
    lane_ = std::thread([this] {
      platform_->attach();
      while (!stop_) {
        if (platform_->do_work() == 0) ::sched_yield();
      }
    });
    side_->start();
  }
  void close() {
    side_->stop_serving();
    stop_ = true;
    lane_.join();
    side_->stop_archive();
    side_.reset();
    platform_.reset();
  }

  // Repeats the HELLO, as a source does, until it is answered. A HELLO that is refused only because
  // it names no answer is sent again with the number that the refusal contains.
  std::optional<wire::HelloAckBody> ask(Hello hello) {
    hello.body.handshake_id = ++handshake_;
    auto ack = exchange(hello);
    for (int i = 0; i < 10 && ack && (ack->flags & wire::kAckNotBound) != 0; ++i) {
      hello.body.answer_id = ack->answer_id;
      ack = exchange(hello);
    }
    answer_ = ack ? std::uint64_t{ack->answer_id} : 0;
    return ack;
  }
  // Sends `hello` once and hears no answer, as a sender does that forges an address.
  void forge(Hello hello) {
    hello.body.handshake_id = ++handshake_;
    send(message_of(hello));
  }
  // START of the handshake whose ASK was answered last.
  std::optional<wire::HelloAckBody> start(Hello hello) {
    hello.body.phase = static_cast<std::uint8_t>(wire::Phase::start);
    hello.body.handshake_id = handshake_;
    hello.body.answer_id = answer_;
    return exchange(hello);
  }
  // Sends it once, and does not wait for an answer.
  void send_late_start(Hello hello) {
    hello.body.phase = static_cast<std::uint8_t>(wire::Phase::start);
    hello.body.handshake_id = handshake_;
    hello.body.answer_id = answer_;
    send(message_of(hello));
  }

  void send_once(const Hello& hello) { send(message_of(hello)); }

  // Gives up the journal's stream, as a rejoin does.
  void forget() {
    // Once this is answered, no repeated START of the case is on its way any more.
    ASSERT_TRUE(ask(Hello(wire::Phase::ask)));
    std::string problem = "not called";
    ASSERT_TRUE(side_->call([&] {
      ASSERT_TRUE(side_->lane().quiesce());
      side_->lane().end_session();
      problem = side_->switch_stream({}, {1, 0}).text();
      side_->lane().resume();
    }));
    ASSERT_EQ(problem, "");
  }

  ReplicaControl::View view() const { return side_->control().view(); }
  template <class Condition>
  static void wait_for(Condition condition, const char* what) {
    const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
    while (!condition()) {
      ASSERT_LT(monotonic_ns(), end_ns) << what;
      ::sched_yield();
    }
  }
  static std::string reason_of(const std::optional<wire::HelloAckBody>& ack) {
    return ack ? std::string(field_text(ack->reason)) : "no answer";
  }
  static bool refused(const std::optional<wire::HelloAckBody>& ack) {
    return ack && ack->status == static_cast<std::uint8_t>(wire::HelloStatus::refused);
  }
  static bool started(const std::optional<wire::HelloAckBody>& ack) {
    return ack && ack->status == static_cast<std::uint8_t>(wire::HelloStatus::started);
  }

  TemporaryDirectory folder_;
  Config config_;
  UdpPort source_;
  std::unique_ptr<AnyPort> port_;
  std::unique_ptr<SystemReplicaPlatform> platform_;
  std::unique_ptr<ReplicaSide> side_;

 private:
  static HelloMessage message_of(const Hello& hello) {
    HelloMessage message;
    FrameTags tags;
    tags.type = wire::Type::hello;
    tags.epoch = hello.epoch;
    tags.session_id = 7 + hello.body.handshake_id;
    build_hello(message, tags, hello.body);
    return message;
  }
  void send(const HelloMessage& message) {
    const MutableBytes buffer = source_.tx_buffer();
    std::copy(message.bytes.begin(), message.bytes.end(), buffer.begin());
    source_.tx_commit(port_->udp()->local(), message.length);
    source_.flush();
  }
  std::optional<wire::HelloAckBody> exchange(const Hello& hello) {
    const HelloMessage message = message_of(hello);
    const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
    for (std::uint64_t next_ns = 0; monotonic_ns() < end_ns; ::sched_yield()) {
      if (monotonic_ns() >= next_ns) {
        next_ns = monotonic_ns() + kRepeatNs;
        send(message);
      }
      for (const Datagram& datagram : source_.rx()) {
        FrameView frame;
        if (decode(datagram.payload, frame) != FrameFault::none ||
            frame.type() != wire::Type::hello_ack)
          continue;
        const auto ack = body_as<wire::HelloAckBody>(frame);
        if (ack.handshake_id == hello.body.handshake_id && ack.phase == hello.body.phase)
          return ack;
      }
    }
    return std::nullopt;
  }

  std::atomic<bool> stop_{false};
  std::thread lane_;
  std::uint64_t handshake_ = 0;
  std::uint64_t answer_ = 0;  // of the last ASK
};

inline Hello ask_of(Epoch epoch, std::uint8_t candidate) {
  return Hello(wire::Phase::ask, epoch, candidate);
}

inline Hello fence_of(Epoch epoch, std::uint8_t candidate) {
  Hello hello(wire::Phase::ask, epoch, candidate);
  hello.body.flags = wire::kHelloFence;
  return hello;
}

}  // namespace binlane

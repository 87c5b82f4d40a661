// FakeNetwork and FakePort: datagrams between endpoints in virtual time, with seeded faults.
//
// Nothing is allocated after construction: packets live in a fixed pool, so the duty cycles can be
// watched for allocations of their own. A full pool loses packets, as a full switch does.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/port/port.h"
#include "virtual_clock.h"

namespace binlane::test {

struct LinkFaults {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;
  double no_tx_buffer = 0;
  double corrupt = 0;               // one bit flips
  double truncate = 0;              // the end is cut off
  double replay = 0;                // a packet that was sent some time ago is sent once more
  std::uint64_t delay_ns = 50'000;  // one way
  std::uint64_t jitter_ns = 0;
  std::uint64_t reorder_ns = 200'000;  // extra delay of a reordered packet, at the most
  std::uint64_t bytes_per_ms = 0;      // of the whole network; 0: no limit
};

class FakeNetwork {
 public:
  static constexpr std::uint32_t kMaxPayload = 1472;
  struct Packet {
    Endpoint from;
    Endpoint to;
    std::uint32_t length = 0;
    std::array<std::byte, kMaxPayload> bytes{};
  };

  FakeNetwork(const VirtualClock& clock, std::uint64_t seed, std::uint32_t pool = 4096)
      : clock_(clock), random_(seed), packets_(pool) {
    free_.reserve(pool);
    queue_.reserve(pool);
    for (std::uint32_t i = 0; i < pool; ++i) free_.push_back(i);
  }

  LinkFaults faults;
  // Drops what it returns true for, before the faults are rolled; for directed tests.
  std::function<bool(const Packet&)> drop;
  // Sees every packet as it is sent, before any fault.
  std::function<void(const Endpoint& from, const Endpoint& to, ConstBytes bytes)> watch;

  void send(const Endpoint& from, const Endpoint& to, ConstBytes bytes) {
    BL_ASSERT(bytes.size() <= kMaxPayload);
    if (watch) watch(from, to, bytes);
    if (faults.replay > 0) replay_and_keep(from, to, bytes);
    if (roll(faults.loss)) return;
    std::uint64_t delay_ns = delay();
    if (faults.bytes_per_ms > 0) {
      // Everything passes one bottleneck, whose queue holds kClogNs.
      busy_until_ns_ = std::max(busy_until_ns_, clock_.time_ns) +
                       bytes.size() * kNanosPerMilli / faults.bytes_per_ms;
      if (busy_until_ns_ - clock_.time_ns > kClogNs) {
        busy_until_ns_ = clock_.time_ns + kClogNs;
        return;
      }
      delay_ns += busy_until_ns_ - clock_.time_ns;
    }
    enqueue(from, to, bytes, delay_ns);
    if (roll(faults.duplicate)) enqueue(from, to, bytes, delay());
  }
  // The next packet for `to` that is due, or null; its slot is the caller's until free().
  Packet* take(const Endpoint& to) {
    for (auto it = queue_.begin(); it != queue_.end(); ++it) {
      if (it->due_ns > clock_.time_ns) break;
      if (it->to != to) continue;
      Packet* const packet = &packets_[it->index];
      queue_.erase(it);
      return packet;
    }
    return nullptr;
  }
  void free(Packet* packet) {
    free_.push_back(static_cast<std::uint32_t>(packet - packets_.data()));
  }
  // When the next packet arrives anywhere; those that wait there to be taken do not count.
  // UINT64_MAX when none is under way.
  std::uint64_t next_due_ns() const {
    const auto next = std::upper_bound(
        queue_.begin(), queue_.end(), clock_.time_ns,
        [](std::uint64_t time_ns, const Flight& flight) { return time_ns < flight.due_ns; });
    return next == queue_.end() ? UINT64_MAX : next->due_ns;
  }
  bool roll(double probability) {
    // Of our own making, so that a seed means the same with every standard library.
    return probability > 0 &&
           static_cast<double>(random_() >> 11) < probability * 9007199254740992.0;  // 2^53
  }
  std::uint64_t overflows() const { return overflows_; }

 private:
  static constexpr std::uint64_t kClogNs = 20 * kNanosPerMilli;
  static constexpr std::size_t kKept = 64;  // packets for replays

  // A packet under way. What take() looks at lies together: every port asks in every turn.
  struct Flight {
    std::uint64_t due_ns;
    Endpoint to;
    std::uint32_t index;
  };

  void replay_and_keep(const Endpoint& from, const Endpoint& to, ConstBytes bytes) {
    if (kept_.size() == kKept && roll(faults.replay)) {
      const Packet& old = kept_[random_() % kKept];
      enqueue(old.from, old.to, ConstBytes(old.bytes).first(old.length), delay());
    }
    // Old ones stay for long: the epochs that they came from are over.
    if (kept_.size() == kKept && random_() % 64 != 0) return;
    Packet packet;
    packet.from = from;
    packet.to = to;
    packet.length = static_cast<std::uint32_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), packet.bytes.begin());
    if (kept_.size() < kKept) {
      kept_.push_back(packet);
    } else {
      kept_[random_() % kKept] = packet;
    }
  }
  std::uint64_t delay() {
    std::uint64_t delay_ns = faults.delay_ns;
    if (faults.jitter_ns > 0) delay_ns += random_() % faults.jitter_ns;
    if (roll(faults.reorder)) delay_ns += random_() % faults.reorder_ns;
    return delay_ns;
  }
  void enqueue(const Endpoint& from, const Endpoint& to, ConstBytes bytes, std::uint64_t delay_ns) {
    if (free_.empty()) {
      ++overflows_;
      return;
    }
    const std::uint32_t index = free_.back();
    Packet& packet = packets_[index];
    packet.from = from;
    packet.to = to;
    packet.length = static_cast<std::uint32_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), packet.bytes.begin());
    if (drop && drop(packet)) return;
    if (roll(faults.corrupt) && packet.length > 0)
      packet.bytes[random_() % packet.length] ^= std::byte{1} << (random_() % 8);
    if (roll(faults.truncate))
      packet.length = static_cast<std::uint32_t>(random_() % packet.length);
    free_.pop_back();
    const Flight flight{clock_.time_ns + delay_ns, to, index};
    // Behind those that are due at the same time: they were sent earlier.
    const auto sooner = [](const Flight& a, const Flight& b) { return a.due_ns < b.due_ns; };
    queue_.insert(std::upper_bound(queue_.begin(), queue_.end(), flight, sooner), flight);
  }

  const VirtualClock& clock_;
  std::mt19937_64 random_;
  std::vector<Packet> packets_;
  std::vector<std::uint32_t> free_;
  std::vector<Flight> queue_;  // by arrival
  std::vector<Packet> kept_;
  std::uint64_t busy_until_ns_ = 0;
  std::uint64_t overflows_ = 0;
};

// The Port concept over the network. Asserts the contract of tx_buffer() and tx_commit().
class FakePort {
 public:
  FakePort(FakeNetwork& network, Endpoint local) : network_(network), local_(local) {}

  std::span<const Datagram> rx() {
    for (std::size_t i = 0; i < received_; ++i) network_.free(packets_[i]);
    received_ = 0;
    while (received_ < kRxBurst) {
      FakeNetwork::Packet* const packet = network_.take(local_);
      if (packet == nullptr) break;
      packets_[received_] = packet;
      datagrams_[received_++] = {ConstBytes(packet->bytes).first(packet->length), packet->from};
    }
    return std::span<const Datagram>(datagrams_).first(received_);
  }
  MutableBytes tx_buffer() {
    if (network_.roll(network_.faults.no_tx_buffer) || queued_ == kTxQueue) return {};
    open_ = true;
    return tx_[queued_].bytes;
  }
  void tx_commit(const Endpoint& to, std::uint32_t length) {
    BL_ASSERT(open_ && length <= FakeNetwork::kMaxPayload);
    open_ = false;
    tx_[queued_].to = to;
    tx_[queued_].length = length;
    ++queued_;
  }
  void flush() {
    for (std::size_t i = 0; i < queued_; ++i)
      network_.send(local_, tx_[i].to, ConstBytes(tx_[i].bytes).first(tx_[i].length));
    queued_ = 0;
  }
  std::uint32_t max_payload() const { return FakeNetwork::kMaxPayload; }

  // The process that had the port died: what it had not flushed is gone.
  void crash() { queued_ = 0; }
  // What arrived while nobody was there is gone.
  void discard() {
    while (!rx().empty()) {
    }
  }

 private:
  static constexpr std::size_t kTxQueue = 1100;
  struct Tx {
    Endpoint to;
    std::uint32_t length = 0;
    std::array<std::byte, FakeNetwork::kMaxPayload> bytes{};
  };

  FakeNetwork& network_;
  Endpoint local_;
  bool open_ = false;
  std::size_t queued_ = 0;
  std::size_t received_ = 0;
  std::vector<Tx> tx_ = std::vector<Tx>(kTxQueue);
  std::array<FakeNetwork::Packet*, kRxBurst> packets_{};
  std::array<Datagram, kRxBurst> datagrams_{};
};
static_assert(Port<FakePort>);

}  // namespace binlane::test

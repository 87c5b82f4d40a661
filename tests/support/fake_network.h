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
#include "dataplane/port.h"
#include "virtual_clock.h"

namespace binlane::test {

struct LinkFaults {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;
  double no_tx_buffer = 0;
  std::uint64_t delay_ns = 50'000;  // one way
  std::uint64_t jitter_ns = 0;
  std::uint64_t reorder_ns = 200'000;  // extra delay of a reordered packet, at the most
};

class FakeNetwork {
 public:
  static constexpr std::uint32_t kMaxPayload = 1472;
  struct Packet {
    std::uint64_t due_ns = 0;
    std::uint64_t order = 0;
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

  void send(const Endpoint& from, const Endpoint& to, ConstBytes bytes) {
    BL_ASSERT(bytes.size() <= kMaxPayload);
    if (roll(faults.loss)) return;
    enqueue(from, to, bytes, delay());
    if (roll(faults.duplicate)) enqueue(from, to, bytes, delay());
  }
  // The next packet for `to` that is due, or null; its slot is the caller's until free().
  Packet* take(const Endpoint& to) {
    for (auto it = queue_.begin(); it != queue_.end(); ++it) {
      Packet& packet = packets_[*it];
      if (packet.due_ns > clock_.time_ns) break;
      if (packet.to != to) continue;
      queue_.erase(it);
      return &packet;
    }
    return nullptr;
  }
  void free(Packet* packet) {
    free_.push_back(static_cast<std::uint32_t>(packet - packets_.data()));
  }
  // When the next packet arrives anywhere; UINT64_MAX when none is under way.
  std::uint64_t next_due_ns() const {
    return queue_.empty() ? UINT64_MAX : packets_[queue_.front()].due_ns;
  }
  bool roll(double probability) {
    return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
  }
  std::uint64_t overflows() const { return overflows_; }

 private:
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
    packet.due_ns = clock_.time_ns + delay_ns;
    packet.order = ++order_;
    packet.from = from;
    packet.to = to;
    packet.length = static_cast<std::uint32_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), packet.bytes.begin());
    if (drop && drop(packet)) return;
    free_.pop_back();
    const auto later = [&](std::uint32_t a, std::uint32_t b) {
      return packets_[a].due_ns != packets_[b].due_ns ? packets_[a].due_ns < packets_[b].due_ns
                                                      : packets_[a].order < packets_[b].order;
    };
    queue_.insert(std::upper_bound(queue_.begin(), queue_.end(), index, later), index);
  }

  const VirtualClock& clock_;
  std::mt19937_64 random_;
  std::vector<Packet> packets_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> queue_;  // by arrival
  std::uint64_t order_ = 0;
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

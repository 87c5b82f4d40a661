// PortTally: the counters of one port as relaxed atomics. The lane writes, anyone reads.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/port.h"

namespace binlane {

// A counter with one writer: an ordinary load and store, no locked instruction.
class Tally {
 public:
  void add(std::uint64_t count) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct PortTally {
  Tally rx_packets, rx_bytes, rx_foreign;
  Tally tx_packets, tx_bytes, tx_no_buffer, tx_dropped, tx_unresolved;

  PortCounters snapshot() const noexcept {
    return {.rx_packets = rx_packets.get(),
            .rx_bytes = rx_bytes.get(),
            .rx_foreign = rx_foreign.get(),
            .tx_packets = tx_packets.get(),
            .tx_bytes = tx_bytes.get(),
            .tx_no_buffer = tx_no_buffer.get(),
            .tx_dropped = tx_dropped.get(),
            .tx_unresolved = tx_unresolved.get()};
  }
};

}  // namespace binlane

// FaultInjector: seeded loss, duplication, reordering and corruption of what a port receives, after
// a line of any length.
//
// For tests and demonstrations only ([danger_faults]). It works on arriving packets, because a DPDK
// receive callback may shrink and grow a burst freely, while a transmit callback cannot tell the
// sender which of its packets it removed. If both ends are configured alike, both directions are
// disturbed.
//
// FaultInjector decides, and FaultStage applies the decisions to a burst of items of any type;
// neither does I/O nor reads a clock. Delayed packets need no thread of their own: they come with
// the first burst that is asked for after their time has come. The lane owns both.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/port/delay_line.h"
#include "dataplane/port/port.h"
#include "dataplane/port/port_counters.h"

namespace binlane {

// A held packet leaves after at most this long, even if nothing else arrives.
inline constexpr std::uint64_t kFaultHoldNs = kNanosPerMilli;
inline constexpr std::uint32_t kFaultMaxDelayPackets = 4;
inline constexpr std::size_t kFaultMaxHeld = 16;
// Packets in transit on a line with a delay. Any more are lost and counted as lost, as in a switch
// whose buffer is full.
inline constexpr std::size_t kFaultMaxDelayed = 512;
static_assert(kFaultMaxDelayed >= kRxBurst);

// Probabilities per packet, 0 … 1.
struct FaultConfig {
  double loss = 0.0;
  double duplicate = 0.0;
  double reorder = 0.0;
  double corrupt = 0.0;
  // Every packet arrives this much later, as from a remote site.
  std::uint64_t delay_us = 0;
  std::uint64_t seed = 1;

  bool any() const noexcept {
    return loss > 0 || duplicate > 0 || reorder > 0 || corrupt > 0 || delay_us > 0;
  }
  // Packets that a FaultStage may hold between two bursts.
  std::size_t held_max() const noexcept {
    return kFaultMaxHeld + (delay_us > 0 ? kFaultMaxDelayed : 0);
  }
};

struct FaultCounters {
  std::uint64_t seen = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
};

class FaultInjector {
 public:
  struct Fate {
    bool lose = false;
    bool duplicate = false;
    bool reorder = false;
    bool corrupt = false;
    std::uint32_t delay_packets = 0;  // reorder: how many later packets overtake this one
    std::uint32_t random = 0;         // corrupt: chooses the bit
  };

  explicit FaultInjector(const FaultConfig& config) noexcept;

  // The fate of the next packet: a function of the seed and of the number of packets before it.
  Fate next() noexcept;

 private:
  std::uint64_t draw() noexcept;
  bool chance(std::uint64_t threshold) noexcept { return draw() < threshold; }

  std::uint64_t state_;
  std::uint64_t loss_, duplicate_, reorder_, corrupt_;  // thresholds on 64-bit draws
};

// Ops of a FaultStage<Item, Ops>: how to drop, copy and damage an item.
//   void drop(Item);  bool copy(Item, Item& copy) (false: no room);  void corrupt(Item, uint32_t)
template <class Item, class Ops>
class FaultStage {
 public:
  explicit FaultStage(const FaultConfig& config) noexcept
      : injector_(config), line_(config.delay_us * kNanosPerMicro) {}

  // Applies the faults to `burst[0 … count)` in place and releases held items that are due.
  // Returns the new count, at most burst.size().
  std::size_t apply(std::span<Item> burst, std::size_t count, std::uint64_t now_ns, Ops ops) {
    BL_ASSERT(count <= burst.size() && count <= kRxBurst);
    std::array<Item, kRxBurst> arrived;
    for (std::size_t index = 0; index < count; ++index) arrived[index] = burst[index];
    if (line_.delays()) count = through_the_line(arrived, count, now_ns, ops);
    std::size_t out = 0;
    for (std::size_t index = 0; index < count; ++index) {
      Item item = arrived[index];
      const FaultInjector::Fate fate = injector_.next();
      seen_.add(1);
      ++sequence_;
      if (fate.lose) {
        lost_.add(1);
        ops.drop(item);
        continue;
      }
      if (fate.corrupt) {
        corrupted_.add(1);
        ops.corrupt(item, fate.random);
      }
      if (fate.duplicate && held_count_ < kFaultMaxHeld) {
        Item copy{};
        if (ops.copy(item, copy)) {
          duplicated_.add(1);
          hold(copy, fate.delay_packets, now_ns);
        }
      }
      if (fate.reorder && held_count_ < kFaultMaxHeld) {
        reordered_.add(1);
        hold(item, fate.delay_packets, now_ns);
      } else {
        burst[out++] = item;
      }
    }
    return release(burst, out, now_ns);
  }

  // Returns every held item through `ops.drop`; the stage is empty afterwards.
  void clear(Ops ops) {
    for (std::size_t index = 0; index < held_count_; ++index) ops.drop(held_[index].item);
    held_count_ = 0;
    while (!line_.empty()) ops.drop(line_.pop());
  }

  // Any thread.
  FaultCounters counters() const noexcept {
    return {.seen = seen_.get(),
            .lost = lost_.get(),
            .duplicated = duplicated_.get(),
            .reordered = reordered_.get(),
            .corrupted = corrupted_.get()};
  }

 private:
  struct Held {
    Item item{};
    std::uint64_t release_sequence = 0;
    std::uint64_t deadline_ns = 0;
  };

  // Arrived packets go into the line, and `packets` becomes what comes out of it.
  std::size_t through_the_line(std::array<Item, kRxBurst>& packets, std::size_t count,
                               std::uint64_t now_ns, Ops ops) {
    for (std::size_t index = 0; index < count; ++index) {
      if (line_.push(packets[index], now_ns)) continue;
      seen_.add(1);
      lost_.add(1);
      ops.drop(packets[index]);
    }
    std::size_t out = 0;
    while (out < packets.size() && line_.due(now_ns)) packets[out++] = line_.pop();
    return out;
  }

  void hold(Item item, std::uint32_t delay_packets, std::uint64_t now_ns) {
    BL_ASSERT(held_count_ < kFaultMaxHeld);
    held_[held_count_++] = {.item = item,
                            .release_sequence = sequence_ + delay_packets,
                            .deadline_ns = now_ns + kFaultHoldNs};
  }

  std::size_t release(std::span<Item> burst, std::size_t out, std::uint64_t now_ns) {
    std::size_t kept = 0;
    for (std::size_t index = 0; index < held_count_; ++index) {
      const Held held = held_[index];
      const bool due = sequence_ >= held.release_sequence || now_ns >= held.deadline_ns;
      if (due && out < burst.size()) {
        burst[out++] = held.item;
      } else {
        held_[kept++] = held;
      }
    }
    held_count_ = kept;
    return out;
  }

  FaultInjector injector_;
  DelayLine<Item, kFaultMaxDelayed> line_;
  std::uint64_t sequence_ = 0;  // packets seen
  std::size_t held_count_ = 0;
  std::array<Held, kFaultMaxHeld> held_{};
  SharedCounter seen_, lost_, duplicated_, reordered_, corrupted_;
};

}  // namespace binlane

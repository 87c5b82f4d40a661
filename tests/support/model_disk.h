// ModelDisk: the Disk concept in virtual time over a platter in memory. Writes take random time, so
// they complete in any order; when the power goes, any subset of what was in flight has reached
// the platter, in pieces of `tear`. The faults of real disks can be switched on.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/journal/disk.h"
#include "virtual_clock.h"

namespace binlane::test {

class ModelDisk {
 public:
  static constexpr std::size_t kBlock = 4096;

  ModelDisk(const VirtualClock& clock, std::uint64_t seed, MutableBytes platter)
      : clock_(clock), random_(seed), platter_(platter) {
    for (Slot& slot : slots_) slot.bytes.reserve(std::min(platter.size(), kLargestWrite));
  }

  std::uint64_t min_ns = 60'000;
  std::uint64_t max_ns = 140'000;
  bool failing = false;       // EIO, nothing is written
  bool sync_failing = false;  // EIO, and anything may have been written
  std::size_t tear = kBlock;  // what the platter writes in one piece
  // The next so many writes complete, but nothing, or another place, was written.
  std::uint32_t lose_writes = 0;
  std::uint32_t misdirect_writes = 0;

  void submit(const DiskWrite& write) {
    BL_ASSERT(write.length > 0 && write.length % kBlock == 0 && write.offset % kBlock == 0);
    BL_ASSERT(write.offset + write.length <= platter_.size());
    const auto slot =
        std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.used; });
    BL_ASSERT(slot != slots_.end());
    slot->used = true;
    slot->due_ns = clock_.time_ns + min_ns + random_() % (max_ns - min_ns + 1);
    slot->write = write;
    slot->bytes.assign(write.data, write.data + write.length);
    ++writes_;
  }

  std::size_t reap(std::span<DiskCompletion> completions) {
    std::size_t count = 0;
    for (;;) {
      Slot* next = nullptr;
      for (Slot& slot : slots_) {
        if (slot.used && slot.due_ns <= clock_.time_ns &&
            (next == nullptr || slot.due_ns < next->due_ns))
          next = &slot;
      }
      if (next == nullptr || count == completions.size()) return count;
      next->used = false;
      const DiskWrite& write = next->write;
      // The device reads the memory at any time before it says that it is done.
      BL_ASSERT(std::equal(write.data, write.data + write.length, next->bytes.begin()));
      const bool fails = failing || sync_failing;
      if (sync_failing) {
        put_some(*next);
      } else if (!failing) {
        write_through(*next);
      }
      completions[count++] = {write.id, fails ? -EIO : static_cast<std::int32_t>(write.length)};
    }
  }

  void cut_power() {
    for (Slot& slot : slots_) {
      if (!slot.used) continue;
      slot.used = false;
      if (slot.due_ns <= clock_.time_ns) {
        put(slot, 0, slot.write.length);
      } else {
        put_some(slot);
      }
    }
  }
  // One bit of the platter, as it was said to be safe, turns over.
  void rot(std::uint64_t bit) { platter_[bit / 8] ^= std::byte{1} << (bit % 8); }

  std::uint64_t next_due_ns() const {
    std::uint64_t due_ns = UINT64_MAX;
    for (const Slot& slot : slots_) {
      if (slot.used) due_ns = std::min(due_ns, slot.due_ns);
    }
    return due_ns;
  }
  std::uint64_t writes() const { return writes_; }
  // Completed writes that did not do what they said.
  std::uint64_t lies() const { return lies_; }
  bool honest() const { return lies_ == 0 && lose_writes == 0 && misdirect_writes == 0; }

 private:
  static constexpr std::size_t kLargestWrite = std::size_t{256} << 10;

  struct Slot {
    bool used = false;
    std::uint64_t due_ns = 0;
    DiskWrite write;
    std::vector<std::byte> bytes;  // as they were submitted
  };

  void write_through(const Slot& slot) {
    if (lose_writes > 0) {
      --lose_writes;
      ++lies_;
    } else if (misdirect_writes > 0) {
      --misdirect_writes;
      ++lies_;
      const std::size_t places = (platter_.size() - slot.write.length) / kBlock + 1;
      std::copy_n(slot.bytes.begin(), slot.write.length,
                  platter_.begin() + static_cast<std::ptrdiff_t>(random_() % places * kBlock));
    } else {
      put(slot, 0, slot.write.length);
    }
  }
  void put_some(const Slot& slot) {
    for (std::size_t at = 0; at < slot.write.length; at += tear) {
      if (random_() % 2 == 0) put(slot, at, tear);
    }
  }
  void put(const Slot& slot, std::size_t at, std::size_t length) {
    std::copy_n(slot.bytes.begin() + static_cast<std::ptrdiff_t>(at), length,
                platter_.begin() + static_cast<std::ptrdiff_t>(slot.write.offset + at));
  }

  const VirtualClock& clock_;
  std::mt19937_64 random_;
  MutableBytes platter_;
  std::array<Slot, kMaxWritesInFlight> slots_{};
  std::uint64_t writes_ = 0;
  std::uint64_t lies_ = 0;
};
static_assert(Disk<ModelDisk>);

}  // namespace binlane::test

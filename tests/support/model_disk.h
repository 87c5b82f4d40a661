// ModelDisk: the Disk concept in virtual time over a platter in memory. Writes take random time, so
// they complete in any order; when the power goes, any subset of the blocks in flight has reached
// the platter.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/disk.h"
#include "virtual_clock.h"

namespace binlane::test {

class ModelDisk {
 public:
  static constexpr std::size_t kBlock = 4096;

  ModelDisk(const VirtualClock& clock, std::uint64_t seed, MutableBytes platter)
      : clock_(clock), random_(seed), platter_(platter) {
    for (Slot& slot : slots_) slot.bytes.resize(platter.size());
  }

  std::uint64_t min_ns = 60'000;
  std::uint64_t max_ns = 140'000;
  bool failing = false;

  void submit(const DiskWrite& write) {
    BL_ASSERT(write.length > 0 && write.length % kBlock == 0 && write.offset % kBlock == 0);
    BL_ASSERT(write.offset + write.length <= platter_.size());
    const auto slot =
        std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.used; });
    BL_ASSERT(slot != slots_.end());
    slot->used = true;
    slot->due_ns = clock_.time_ns + min_ns + random_() % (max_ns - min_ns + 1);
    slot->write = write;
    std::copy_n(write.data, write.length, slot->bytes.begin());
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
      if (!failing) put(*next, 0, write.length);
      completions[count++] = {write.id, failing ? -EIO : static_cast<std::int32_t>(write.length)};
    }
  }

  void cut_power() {
    for (Slot& slot : slots_) {
      if (!slot.used) continue;
      slot.used = false;
      for (std::size_t at = 0; at < slot.write.length; at += kBlock) {
        if (slot.due_ns <= clock_.time_ns || random_() % 2 == 0) put(slot, at, kBlock);
      }
    }
  }

  std::uint64_t next_due_ns() const {
    std::uint64_t due_ns = UINT64_MAX;
    for (const Slot& slot : slots_) {
      if (slot.used) due_ns = std::min(due_ns, slot.due_ns);
    }
    return due_ns;
  }
  std::uint64_t writes() const { return writes_; }

 private:
  struct Slot {
    bool used = false;
    std::uint64_t due_ns = 0;
    DiskWrite write;
    std::vector<std::byte> bytes;  // as they were submitted
  };
  void put(const Slot& slot, std::size_t at, std::size_t length) {
    std::copy_n(slot.bytes.begin() + static_cast<std::ptrdiff_t>(at), length,
                platter_.begin() + static_cast<std::ptrdiff_t>(slot.write.offset + at));
  }

  const VirtualClock& clock_;
  std::mt19937_64 random_;
  MutableBytes platter_;
  std::array<Slot, kMaxWritesInFlight> slots_{};
  std::uint64_t writes_ = 0;
};
static_assert(Disk<ModelDisk>);

}  // namespace binlane::test

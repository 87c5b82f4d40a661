// GtidState: the last sequence number of every {domain, server id} in a MariaDB binlog, as its
// Gtid_list events list them.
//
// Fixed capacity, so that a lane can keep one: beyond it, entries are dropped and overflow() says
// so; a state that overflowed is never compared.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace binlane {

struct GtidEntry {
  std::uint32_t domain = 0;
  std::uint32_t server_id = 0;
  std::uint64_t sequence = 0;

  bool operator==(const GtidEntry&) const = default;
};

class GtidState {
 public:
  static constexpr std::size_t kCapacity = 128;

  void clear() noexcept {
    count_ = 0;
    newest_ = 0;
    overflow_ = 0;
  }

  // Sets the entry of {domain, server id}; finds the newest one without a search.
  void set(const GtidEntry& entry) noexcept {
    const std::size_t at = index_of(entry);
    if (at == kCapacity) {
      ++overflow_;
      return;
    }
    if (at == count_) ++count_;
    entries_[at] = entry;
    newest_ = at;
  }

  std::span<const GtidEntry> entries() const noexcept { return {entries_.data(), count_}; }
  // Entries that found no room.
  std::uint64_t overflow() const noexcept { return overflow_; }

  // The same entries in any order. Both sides must not have overflowed.
  bool same_as(const GtidState& other) const noexcept {
    if (count_ != other.count_) return false;
    for (const GtidEntry& entry : entries()) {
      const std::size_t at = other.index_of(entry);
      if (at >= other.count_ || other.entries_[at].sequence != entry.sequence) return false;
    }
    return true;
  }

 private:
  bool matches(std::size_t at, const GtidEntry& entry) const noexcept {
    return entries_[at].domain == entry.domain && entries_[at].server_id == entry.server_id;
  }
  // Where the entry is or would be added; kCapacity if it does not exist and there is no room.
  std::size_t index_of(const GtidEntry& entry) const noexcept {
    if (newest_ < count_ && matches(newest_, entry)) return newest_;
    std::size_t at = 0;
    while (at < count_ && !matches(at, entry)) ++at;
    return at;
  }

  std::array<GtidEntry, kCapacity> entries_{};
  std::size_t count_ = 0;
  std::size_t newest_ = 0;
  std::uint64_t overflow_ = 0;
};

}  // namespace binlane

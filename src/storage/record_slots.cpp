#include "storage/record_slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace binlane {
namespace {

constexpr std::uint64_t kRecordMagic = 0x64726f6365726c62;  // "blrecord"
constexpr std::uint16_t kRecordVersion = 1;

struct Slot {
  le64 magic;
  le16 version;
  le16 zero;
  le32 length;
  le64 sequence;
  le32 crc;  // over the whole slot with this field zeroed
  std::array<std::byte, 36> reserved{};
  std::array<std::byte, kRecordSlotSize - 64> payload{};
};
static_assert(sizeof(Slot) == kRecordSlotSize && alignof(Slot) == 1);
static_assert(offsetof(Slot, length) == 12 && offsetof(Slot, sequence) == 16 &&
              offsetof(Slot, crc) == 24 && offsetof(Slot, payload) == 64);
static_assert(kMaxRecordPayload <= sizeof(Slot::payload));

ConstBytes bytes_of(const Slot& slot) {
  return {reinterpret_cast<const std::byte*>(&slot), sizeof slot};
}

std::uint32_t slot_crc(Slot slot) {
  slot.crc = 0;
  return crc32c(0, bytes_of(slot));
}

// The caller judges the version: another version must be refused, not overwritten.
bool is_valid(const Slot& slot, std::size_t index) {
  return slot.magic == kRecordMagic && slot.crc == slot_crc(slot) &&
         slot.length <= kMaxRecordPayload && slot.sequence % kRecordSlotCount == index;
}

}  // namespace

std::vector<std::byte> make_record_slot(std::uint64_t sequence, ConstBytes payload) {
  BL_ASSERT(payload.size() <= kMaxRecordPayload);
  Slot slot;
  slot.magic = kRecordMagic;
  slot.version = kRecordVersion;
  slot.length = static_cast<std::uint32_t>(payload.size());
  slot.sequence = sequence;
  std::copy(payload.begin(), payload.end(), slot.payload.begin());
  slot.crc = slot_crc(slot);
  BL_ASSERT(is_valid(slot, sequence % kRecordSlotCount));
  return {bytes_of(slot).begin(), bytes_of(slot).end()};
}

std::optional<RecordContents> read_record(ConstBytes both, std::string& error) {
  BL_ASSERT(both.size() == kRecordSize);
  std::array<Slot, kRecordSlotCount> slots;
  std::memcpy(static_cast<void*>(slots.data()), both.data(), sizeof slots);
  const Slot* newest = nullptr;
  for (std::size_t i = 0; i < kRecordSlotCount; ++i) {
    if (!is_valid(slots[i], i)) continue;
    if (newest == nullptr || slots[i].sequence > newest->sequence) newest = &slots[i];
  }
  if (newest == nullptr) {
    error =
        "the record is damaged: neither of its two copies validates; restore the record from a "
        "backup, or re-create what it belongs to";
    return std::nullopt;
  }
  if (newest->version != kRecordVersion) {
    error = fmt::format("the record has format version {}, but this program knows {}",
                        static_cast<unsigned>(newest->version), kRecordVersion);
    return std::nullopt;
  }
  RecordContents contents;
  contents.sequence = newest->sequence;
  // The second slot is zero until the first store.
  const std::size_t other = (contents.sequence + 1) % kRecordSlotCount;
  contents.slot_was_damaged = contents.sequence > 0 && !is_valid(slots[other], other);
  if (contents.sequence > 0) {
    contents.payload.emplace(newest->payload.begin(), newest->payload.begin() + newest->length);
  }
  return contents;
}

}  // namespace binlane

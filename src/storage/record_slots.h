// The two slots of a durable record (durable_record.h) as bytes. No I/O.
//
// A slot is 4 KiB: {magic 8, version 2, zero 2, length 4, sequence 8, CRC32C 4, zero 36, payload}.
// The record with sequence n is stored in slot n % 2, so that a store never touches the newest one
// and a misdirected write does not count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace binlane {

inline constexpr std::size_t kRecordSlotSize = 4096;
inline constexpr std::size_t kRecordSlotCount = 2;
inline constexpr std::size_t kRecordSize = kRecordSlotCount * kRecordSlotSize;
inline constexpr std::size_t kMaxRecordPayload = 3584;

// Where the slot of record `sequence` begins.
constexpr std::size_t record_slot_offset(std::uint64_t sequence) noexcept {
  return sequence % kRecordSlotCount * kRecordSlotSize;
}

// The slot of record `sequence`: kRecordSlotSize bytes. Asserts that the payload fits.
std::vector<std::byte> make_record_slot(std::uint64_t sequence, ConstBytes payload);

struct RecordContents {
  std::uint64_t sequence = 0;  // of the newest slot; 0: created, and nothing stored yet
  bool slot_was_damaged = false;
  std::optional<std::vector<std::byte>> payload;
};

// Reads both slots (kRecordSize bytes). Empty, with the reason in `error`, when neither validates
// or the newer one is of another version.
std::optional<RecordContents> read_record(ConstBytes both, std::string& error);

}  // namespace binlane

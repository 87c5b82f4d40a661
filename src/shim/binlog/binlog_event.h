// The common header of binlog events (format version 4) and the event types that Binlane examines.
//
// The layout comes from the servers' documented binlog format; see docs/PROTOCOL.md. Types 160 and
// up are MariaDB's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace binlane {

inline constexpr std::size_t kBinlogMagicSize = 4;
inline constexpr std::array<std::byte, kBinlogMagicSize> kBinlogMagic{
    std::byte{0xfe}, std::byte{0x62}, std::byte{0x69}, std::byte{0x6e}};
inline constexpr std::size_t kEventHeaderSize = 19;
inline constexpr std::size_t kEventChecksumSize = 4;
inline constexpr std::size_t kEventFlagsOffset = 4 + 1 + 4 + 4 + 4;  // in an event's header
// In a format description, which always has a checksum: how the file's events are summed.
inline constexpr std::size_t kChecksumAlgorithmFromEnd = 1 + kEventChecksumSize;

enum class EventType : std::uint8_t {
  unknown = 0,
  query = 2,
  stop = 3,
  rotate = 4,
  intvar = 5,
  append_block = 9,
  rand = 13,
  user_var = 14,
  format_description = 15,
  xid = 16,
  begin_load_query = 17,
  execute_load_query = 18,
  table_map = 19,
  incident = 26,
  heartbeat = 27,
  gtid_log = 33,            // MySQL
  anonymous_gtid_log = 34,  // MySQL
  previous_gtids = 35,      // MySQL
  xa_prepare = 38,
  transaction_payload = 40,  // MySQL
  heartbeat_v2 = 41,         // MySQL
  gtid_tagged_log = 42,      // MySQL
  annotate_rows = 160,
  binlog_checkpoint = 161,
  gtid = 162,
  gtid_list = 163,
  start_encryption = 164,
};

// Event flags.
inline constexpr std::uint16_t kEventFlagInUse = 0x0001;
inline constexpr std::uint16_t kEventFlagArtificial = 0x0020;

struct EventHeader {
  std::uint32_t timestamp = 0;
  EventType type = EventType::unknown;
  std::uint32_t server_id = 0;
  std::uint32_t length = 0;   // of the whole event, header and checksum included
  std::uint32_t end_low = 0;  // log_pos: the low 32 bits of the offset after the event
  std::uint16_t flags = 0;
};

// The caller has checked that kEventHeaderSize bytes are there.
inline EventHeader parse_event_header(const std::byte* data) noexcept {
  return {load_le<std::uint32_t>(data),      static_cast<EventType>(data[4]),
          load_le<std::uint32_t>(data + 5),  load_le<std::uint32_t>(data + 9),
          load_le<std::uint32_t>(data + 13), load_le<std::uint16_t>(data + 17)};
}

}  // namespace binlane

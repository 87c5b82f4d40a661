// The few binlog events that the feed examines, and those that it makes itself.
//
// Parsers take a whole event, including its checksum, or as much of its beginning as they say; they
// check every length. Events made here are marked artificial where a real source marks them so, and
// carry a CRC32 if the stream's events do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/gtid_state.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

using Event = mysql::Payload;

// Offsets of the fields in an event's header.
inline constexpr std::size_t kEventEndOffset = 13;

// Set on statements that their session marked with @@skip_replication.
inline constexpr std::uint16_t kEventFlagSkipReplication = 0x8000;

struct FormatDescription {
  std::uint32_t server_id = 0;
  std::string server_version;
  std::uint32_t created_s = 0;  // non-zero: the server has just started, temporary tables are gone
  bool checksums = false;       // the other events end with a CRC32; this one always does
};
// A format description event of binlog version 4, with CRC32 or no checksums; nothing otherwise.
std::optional<FormatDescription> parse_format_description(ConstBytes event);

struct FormatChanges {
  bool clear_end = false;      // the replica must not move its position for it
  bool clear_created = false;  // the replica must keep its temporary tables
};
// The event as a source sends it: not in use, with these changes, and with a correct checksum.
Event served_format_description(ConstBytes event, FormatChanges changes);

struct GtidEvent {
  GtidEntry gtid;
  std::uint8_t flags = 0;
};
// Needs the event's first kGtidEventFront bytes.
inline constexpr std::size_t kGtidEventFront = kEventHeaderSize + 13;
std::optional<GtidEvent> parse_gtid_event(ConstBytes event);

// Needs the whole event; `checksums` as its file's format description says.
std::optional<std::vector<GtidEntry>> parse_gtid_list(ConstBytes event, bool checksums);

// Flags of a Gtid_list event.
inline constexpr std::uint32_t kGtidListUntilReached = 1U << 28;

// Means: "From here on you get `file`, from `position` on."
Event make_rotate(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                  bool checksums);
// Means: "I am here, and this is where you are."
Event make_heartbeat(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                     bool checksums);
// The same for replicas of MySQL that ask for it: it has room for offsets of 4 GiB and more.
Event make_heartbeat_v2(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                        bool checksums);
// Moves the replica's file position past groups that it did not need.
Event make_gtid_list(std::uint32_t server_id, std::span<const GtidEntry> list, std::uint32_t flags,
                     std::uint64_t position, bool checksums);

}  // namespace binlane

#include "shim/feed/feed_event.h"

#include "base/assert.h"
#include "base/crc32.h"

namespace binlane {
namespace {

constexpr std::uint16_t kBinlogVersion = 4;
constexpr std::size_t kServerVersionSize = 50;
constexpr std::size_t kCreatedOffset = kEventHeaderSize + 2 + kServerVersionSize;
// Version, server version, creation time, header length; then the event types' lengths.
constexpr std::size_t kFormatFixedSize = kCreatedOffset + 4 + 1;
constexpr std::size_t kChecksumAlgorithmSize = 1;
constexpr std::uint8_t kChecksumOff = 0;
constexpr std::uint8_t kChecksumCrc32 = 1;

// The fields of a heartbeat of version 2: each one's number, its length and its bytes.
constexpr std::uint64_t kHeartbeatEnd = 0;
constexpr std::uint64_t kHeartbeatFile = 1;
constexpr std::uint64_t kHeartbeatOffset = 2;

constexpr std::size_t kGtidListEntrySize = 16;
constexpr std::uint32_t kGtidListCountMask = (1U << 28) - 1;

// Writes the checksum of everything before it.
void finish_event(Event& event) {
  BL_ASSERT(event.size() >= kEventHeaderSize + kEventChecksumSize);
  const std::size_t covered = event.size() - kEventChecksumSize;
  store_le(event.data() + covered, crc32(0, ConstBytes(event).first(covered)));
}

Event make_event(EventType type, std::uint32_t server_id, std::uint16_t flags,
                 std::uint64_t position, ConstBytes body, bool checksums) {
  const std::size_t length =
      kEventHeaderSize + body.size() + (checksums ? kEventChecksumSize : std::size_t{0});
  Event event = mysql::Writer()
                    .number(std::uint32_t{0})  // no time stamp: the replica's clock is not moved
                    .number(static_cast<std::uint8_t>(type))
                    .number(server_id)
                    .number(static_cast<std::uint32_t>(length))
                    .number(static_cast<std::uint32_t>(position))  // there are only 32 bits
                    .number(flags)
                    .bytes(body)
                    .zeros(checksums ? kEventChecksumSize : 0)
                    .take();
  if (checksums) finish_event(event);
  BL_ASSERT(event.size() == length);
  return event;
}

}  // namespace

std::optional<FormatDescription> parse_format_description(ConstBytes event) {
  if (event.size() < kFormatFixedSize + kChecksumAlgorithmSize + kEventChecksumSize) {
    return std::nullopt;
  }
  const EventHeader header = parse_event_header(event.data());
  if (header.type != EventType::format_description || header.length != event.size()) {
    return std::nullopt;
  }
  mysql::Reader reader(event.subspan(kEventHeaderSize));
  if (reader.number<std::uint16_t>() != kBinlogVersion) return std::nullopt;
  FormatDescription format;
  format.server_id = header.server_id;
  format.server_version = mysql::to_text(reader.bytes(kServerVersionSize));
  format.server_version.resize(format.server_version.find_last_not_of('\0') + 1);
  format.created_s = reader.number<std::uint32_t>();
  if (reader.number<std::uint8_t>() != kEventHeaderSize) return std::nullopt;
  const std::size_t algorithm_at = event.size() - kEventChecksumSize - kChecksumAlgorithmSize;
  const auto algorithm = static_cast<std::uint8_t>(event[algorithm_at]);
  if (algorithm != kChecksumOff && algorithm != kChecksumCrc32) return std::nullopt;
  format.checksums = algorithm == kChecksumCrc32;
  return format;
}

Event served_format_description(ConstBytes event, FormatChanges changes) {
  BL_ASSERT(event.size() >= kFormatFixedSize + kEventChecksumSize);
  Event served(event.begin(), event.end());
  const auto flags = load_le<std::uint16_t>(served.data() + kEventFlagsOffset);
  store_le(served.data() + kEventFlagsOffset,
           static_cast<std::uint16_t>(flags & ~unsigned{kEventFlagInUse}));
  if (changes.clear_end) store_le(served.data() + kEventEndOffset, std::uint32_t{0});
  if (changes.clear_created) store_le(served.data() + kCreatedOffset, std::uint32_t{0});
  // It ends with a checksum whatever the other events do.
  finish_event(served);
  return served;
}

std::optional<GtidEvent> parse_gtid_event(ConstBytes event) {
  if (event.size() < kGtidEventFront) return std::nullopt;
  const EventHeader header = parse_event_header(event.data());
  if (header.type != EventType::gtid) return std::nullopt;
  mysql::Reader reader(event.subspan(kEventHeaderSize));
  GtidEvent gtid;
  gtid.gtid.server_id = header.server_id;
  gtid.gtid.sequence = reader.number<std::uint64_t>();
  gtid.gtid.domain = reader.number<std::uint32_t>();
  gtid.flags = reader.number<std::uint8_t>();
  BL_ASSERT(!reader.failed());
  return gtid;
}

std::optional<std::vector<GtidEntry>> parse_gtid_list(ConstBytes event, bool checksums) {
  const std::size_t overhead = kEventHeaderSize + (checksums ? kEventChecksumSize : 0);
  if (event.size() < overhead) return std::nullopt;
  mysql::Reader reader(event.subspan(kEventHeaderSize, event.size() - overhead));
  const std::uint32_t count = reader.number<std::uint32_t>() & kGtidListCountMask;
  if (reader.failed() || reader.rest().size() / kGtidListEntrySize < count) return std::nullopt;
  std::vector<GtidEntry> list;
  list.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    GtidEntry entry;
    entry.domain = reader.number<std::uint32_t>();
    entry.server_id = reader.number<std::uint32_t>();
    entry.sequence = reader.number<std::uint64_t>();
    list.push_back(entry);
  }
  BL_ASSERT(!reader.failed());
  return list;
}

Event make_rotate(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                  bool checksums) {
  const Event body = mysql::Writer().number(position).text(file).take();
  return make_event(EventType::rotate, server_id, kEventFlagArtificial, 0, body, checksums);
}

Event make_heartbeat(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                     bool checksums) {
  return make_event(EventType::heartbeat, server_id, 0, position, mysql::as_bytes(file), checksums);
}

Event make_heartbeat_v2(std::uint32_t server_id, std::string_view file, std::uint64_t position,
                        bool checksums) {
  const mysql::Payload offset = mysql::Writer().lenenc_number(position).take();
  const mysql::Payload body = mysql::Writer()
                                  .lenenc_number(kHeartbeatFile)
                                  .lenenc_text(file)
                                  .lenenc_number(kHeartbeatOffset)
                                  .lenenc_number(offset.size())
                                  .bytes(offset)
                                  .lenenc_number(kHeartbeatEnd)
                                  .take();
  return make_event(EventType::heartbeat_v2, server_id, 0, position, body, checksums);
}

Event make_gtid_list(std::uint32_t server_id, std::span<const GtidEntry> list, std::uint32_t flags,
                     std::uint64_t position, bool checksums) {
  BL_ASSERT(list.size() <= kGtidListCountMask && (flags & kGtidListCountMask) == 0);
  mysql::Writer body;
  body.number(static_cast<std::uint32_t>(list.size()) | flags);
  for (const GtidEntry& entry : list) {
    body.number(entry.domain).number(entry.server_id).number(entry.sequence);
  }
  // A real source pads the empty list to its post-header's length and two bytes more.
  if (list.empty()) body.zeros(2);
  return make_event(EventType::gtid_list, server_id, kEventFlagArtificial, position, body.take(),
                    checksums);
}

}  // namespace binlane

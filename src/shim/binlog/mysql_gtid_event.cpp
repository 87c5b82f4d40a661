#include "shim/binlog/mysql_gtid_event.h"

#include <algorithm>

#include "shim/binlog/mysql_field_reader.h"

namespace binlane {
namespace {

// A Gtid event's logical clock follows after this byte, which says that it does.
constexpr std::uint8_t kLogicalClock = 2;
constexpr std::size_t kLogicalClockSize = 8 + 8;
// Commit times are microseconds in 7 bytes. Of the first one, the uppermost bit says that another
// one follows.
constexpr std::size_t kCommitTimeSize = 7;
constexpr std::uint64_t kOtherTimeFollows = std::uint64_t{1} << 55;

// The fields of a Gtid_tagged event, in the order in which they come. Those that a version of the
// server need not know have greater numbers than the last one that it must know.
enum TaggedField : std::uint64_t {
  kFlags = 0,
  kUuid = 1,
  kGno = 2,
  kTag = 3,
  kLastCommitted = 4,
  kSequenceNumber = 5,
  kImmediateCommitTime = 6,
  kOriginalCommitTime = 7,
  kGroupLength = 8,
  kImmediateVersion = 9,
  kOriginalVersion = 10,
  kCommitGroupTicket = 11,
};
constexpr std::uint64_t kTaggedVersion = 1;

// A number of the client/server protocol: small ones are one byte, greater ones follow one.
std::uint64_t packed_number(MysqlFieldReader& reader) noexcept {
  const auto first = reader.number<std::uint8_t>();
  switch (first) {
    case 0xfc:
      return reader.number_of(2);
    case 0xfd:
      return reader.number_of(3);
    case 0xfe:
      return reader.number_of(8);
    case 0xfb:
    case 0xff:
      reader.fail();
      return 0;
    default:
      return first;
  }
}

// What follows the flags and the GTID differs between versions: it is optional.
std::uint64_t untagged_group_length(MysqlFieldReader& reader) noexcept {
  if (reader.number<std::uint8_t>() != kLogicalClock) return 0;
  reader.bytes(kLogicalClockSize);
  if ((reader.number_of(kCommitTimeSize) & kOtherTimeFollows) != 0) reader.bytes(kCommitTimeSize);
  const std::uint64_t length = packed_number(reader);
  return reader.failed() ? 0 : length;
}

std::optional<MysqlGtidEvent> parse_untagged(EventType type, MysqlFieldReader& reader) noexcept {
  MysqlGtidEvent event;
  event.flags = reader.number<std::uint8_t>();
  const MysqlGtid gtid{{reader.uuid(), {}}, reader.number<std::uint64_t>()};
  if (reader.failed()) return std::nullopt;
  if (type == EventType::gtid_log) {
    if (!is_mysql_gno(gtid.gno)) return std::nullopt;
    event.gtid = gtid;
  }
  event.group_length = untagged_group_length(reader);
  return event;
}

// The UUID is an array of numbers, one for each byte.
Uuid uuid_of_numbers(MysqlFieldReader& reader) noexcept {
  Uuid uuid;
  for (std::uint8_t& byte : uuid.bytes) {
    const std::uint64_t value = reader.varint();
    if (value > 0xff) reader.fail();
    byte = static_cast<std::uint8_t>(value);
  }
  return uuid;
}

// The fields after the tag, up to the group's length.
std::uint64_t tagged_group_length(MysqlFieldReader& reader) noexcept {
  while (!reader.failed() && !reader.rest().empty()) {
    switch (reader.varint()) {
      case kLastCommitted:
      case kSequenceNumber:
      case kImmediateCommitTime:
      case kOriginalCommitTime:
        reader.varint();
        break;
      case kGroupLength: {
        const std::uint64_t length = reader.varint();
        return reader.failed() ? 0 : length;
      }
      default:
        return 0;
    }
  }
  return 0;
}

std::optional<MysqlGtidEvent> parse_tagged(MysqlFieldReader& reader) noexcept {
  if (reader.varint() != kTaggedVersion) return std::nullopt;
  reader.varint();  // the message's size, which the event's own size implies
  if (reader.varint() > kCommitGroupTicket) return std::nullopt;
  MysqlGtidEvent event;
  MysqlGtid gtid;
  if (reader.varint() != kFlags) return std::nullopt;
  const std::uint64_t flags = reader.varint();
  if (flags > 0xff || reader.varint() != kUuid) return std::nullopt;
  event.flags = static_cast<std::uint8_t>(flags);
  gtid.tsid.uuid = uuid_of_numbers(reader);
  if (reader.varint() != kGno) return std::nullopt;
  gtid.gno = reader.positive_varint();
  if (reader.varint() != kTag) return std::nullopt;
  const auto tag = MysqlTag::parse(reader.bytes(reader.varint()));
  if (reader.failed() || !tag || !is_mysql_gno(gtid.gno)) return std::nullopt;
  gtid.tsid.tag = *tag;
  event.gtid = gtid;
  event.group_length = tagged_group_length(reader);
  return event;
}

// The event's body, or so much of it as is there.
std::optional<ConstBytes> body_of(ConstBytes event, bool checksums) noexcept {
  if (event.size() < kEventHeaderSize) return std::nullopt;
  const std::size_t length = parse_event_header(event.data()).length;
  const std::size_t around = kEventHeaderSize + (checksums ? kEventChecksumSize : 0);
  if (length < around) return std::nullopt;
  return event.subspan(kEventHeaderSize,
                       std::min(length - around, event.size() - kEventHeaderSize));
}

}  // namespace

std::optional<MysqlGtidEvent> parse_mysql_gtid_body(EventType type, ConstBytes body) noexcept {
  MysqlFieldReader reader(body);
  switch (type) {
    case EventType::gtid_log:
    case EventType::anonymous_gtid_log:
      return parse_untagged(type, reader);
    case EventType::gtid_tagged_log:
      return parse_tagged(reader);
    default:
      return std::nullopt;
  }
}

std::optional<MysqlGtidEvent> parse_mysql_gtid_event(ConstBytes event, bool checksums) noexcept {
  const auto body = body_of(event, checksums);
  if (!body) return std::nullopt;
  return parse_mysql_gtid_body(parse_event_header(event.data()).type, *body);
}

std::optional<MysqlGtidSet> parse_previous_gtids(ConstBytes event, bool checksums) {
  const auto body = body_of(event, checksums);
  if (!body) return std::nullopt;
  const EventHeader header = parse_event_header(event.data());
  if (header.type != EventType::previous_gtids || header.length != event.size())
    return std::nullopt;
  return MysqlGtidSet::decode(*body);
}

}  // namespace binlane

// GroupTracker: follows the bytes of binlog files, in order and in chunks of any size, and knows
// where the last whole event and the last whole event group end.
//
// It never allocates, never reads outside the bytes it is given, and believes nothing in them.
// Bytes that cannot be a binlog make it broken(), with the reason and the place, and it takes no
// more bytes until the next file. If the file has checksums, it verifies those of events that end a
// group or are outside groups: what is written after half of such an event makes the event as long
// as it says, and its group would count as whole. One thread at a time owns an object; it is a
// plain value and may be copied.
//
// An event group is what a replica applies as one. In MariaDB it is a GTID event and what follows
// up to XID, XA PREPARE or COMMIT/ROLLBACK, or up to its single event if it is flagged standalone.
// In MySQL it is a (possibly anonymous) GTID event with a transaction or a single statement. Events
// that belong to no group (format description, Gtid_list, Rotate, …) are whole by themselves, so
// last_group_end() moves past them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/position.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/event_group.h"
#include "shim/binlog/gtid_continuity.h"
#include "shim/binlog/gtid_state.h"
#include "shim/binlog/mysql_gtid_trail.h"

namespace binlane {

// Why a tracker takes no more bytes of its file.
enum class TrackerFault : std::uint8_t {
  none,
  bad_magic,        // the file does not begin as a binlog does
  bad_length,       // an event's length is impossible, e.g. a torn tail that reads as zeros
  bad_event,        // an event is shorter than its own fields, or the first one is of a wrong type
  encrypted,        // a start-encryption event: what follows is ciphertext
  bytes_after_end,  // something follows the Rotate or Stop event
  misplaced_event,  // an event that says that it ends elsewhere: the server continued after half a
                    // write
  bad_checksum,     // an event that would end a group is not as it was written
  cut_off_group,    // a MariaDB group that the next group, or an event outside groups, cuts off
};
const char* to_string(TrackerFault fault) noexcept;

// The event that ended a file, if one did.
enum class FileEnding : std::uint8_t { none, rotate, stop };

// From the format description event of the file.
struct BinlogFormat {
  bool seen = false;
  bool checksums = true;        // events end with a CRC32
  std::uint16_t flags = 0;      // of the event, as they were read
  std::uint32_t server_id = 0;  //
  std::uint32_t written_s = 0;  // the event's own time stamp
  std::uint32_t startup_s = 0;  // when the server started if this is its first file since; else 0

  bool in_use() const noexcept { return (flags & kEventFlagInUse) != 0; }
  // The byte at kInUseOffset once the server has ended the file.
  std::uint8_t ended_flags_byte() const noexcept {
    return static_cast<std::uint8_t>(flags & ~kEventFlagInUse);
  }
};

class GroupTracker {
 public:
  // The largest event that is believed: the servers' largest packet (1 GiB) and room for its frame.
  static constexpr std::uint32_t kMaxEventLength = (1U << 30) + (1U << 20);

  // Begins file `number` at its first byte. The GTID state is kept, to be compared with the new
  // file's Gtid_list or Previous_gtids.
  void start_file(std::uint32_t number) noexcept;
  // Takes the bytes at `file_offset`, which is end().offset. Returns false when broken.
  bool on_bytes(std::uint64_t file_offset, ConstBytes bytes) noexcept;

  Position end() const noexcept { return {file_, offset_}; }
  // After the last whole event; {file, 0} before the magic number was read.
  Position last_event_end() const noexcept { return {file_, event_start_}; }
  // From the header that was read last; of the event that begins there, or ends there.
  std::uint32_t event_length() const noexcept { return event_.length; }
  // After the last whole group, or event outside groups.
  Position last_group_end() const noexcept { return {file_, group_end_}; }
  bool in_group() const noexcept { return groups_.is_open(); }
  EventType last_event_type() const noexcept { return last_type_; }

  FileEnding ending() const noexcept { return ending_; }
  bool ended() const noexcept { return ending_ != FileEnding::none; }
  bool broken() const noexcept { return fault_ != TrackerFault::none; }
  TrackerFault fault() const noexcept { return fault_; }
  // Where the event begins that could not be right, or the group that was cut off.
  Position fault_position() const noexcept {
    return fault_ == TrackerFault::cut_off_group ? Position{file_, group_begin_} : last_event_end();
  }

  const BinlogFormat& format() const noexcept { return format_; }
  // An event after the format description was read, so continuity() has its final value.
  bool header_read() const noexcept { return header_read_; }
  Continuity continuity() const noexcept { return continuity_; }
  // The state after the last whole group, and the state at the file's beginning. MariaDB only.
  bool gtid_state_known() const noexcept { return gtids_known_; }
  const GtidState& gtid_state() const noexcept { return gtids_; }
  const GtidState& first_gtid_state() const noexcept { return first_gtids_; }
  // What continuity() was judged by: the state with which the previous file ended.
  const GtidState& previous_gtid_state() const noexcept { return previous_gtids_; }
  // The same on MySQL.
  const MysqlGtidTrail& mysql_gtids() const noexcept { return mysql_gtids_; }

  // Since construction, over all files.
  std::uint64_t group_count() const noexcept { return group_count_; }
  // Groups without a GTID that another group or an event outside groups cut off. With a GTID it is
  // a fault: MariaDB says where each of its groups ends.
  std::uint64_t unfinished_group_count() const noexcept { return unfinished_group_count_; }

 private:
  enum class Field : std::uint8_t {
    none,
    magic,
    header,
    format,
    checksum_algorithm,
    gtid,
    query_header,
    query_text,
    gtid_list_count,
    gtid_list_entry,
    mysql_gtid,
    previous_gtids_piece,
  };

  static constexpr std::size_t kFieldCapacity = 96;
  static_assert(kMysqlGtidFront <= kFieldCapacity);
  static_assert(PreviousGtidsReader::kMaxPiece <= kFieldCapacity);

  void want(Field field, std::uint64_t offset, std::uint32_t length) noexcept;
  // want() a field of the event's body; breaks when the event is too short for it.
  void want_in_event(Field field, std::uint64_t offset, std::uint32_t length) noexcept;
  void on_field() noexcept;
  void on_header() noexcept;
  void begin_sum() noexcept;
  bool sum_is_right() const noexcept;
  void on_query_header() noexcept;
  void on_mysql_gtid_header() noexcept;
  void want_previous_gtids() noexcept;
  void finish_event() noexcept;
  void count_group() noexcept;
  void cut_off_group() noexcept;
  void finish_gtid_list() noexcept;
  std::uint32_t body_end() const noexcept;
  std::uint32_t body_length() const noexcept {
    return std::max(body_end(), std::uint32_t{kEventHeaderSize}) - std::uint32_t{kEventHeaderSize};
  }
  void fail(TrackerFault fault) noexcept { fault_ = fault; }
  const std::byte* field_data() const noexcept { return field_bytes_.data(); }

  std::uint32_t file_ = 0;
  TrackerFault fault_ = TrackerFault::none;
  FileEnding ending_ = FileEnding::none;
  EventGroup groups_;
  StatementKind statement_ = StatementKind::other;
  EventType last_type_ = EventType::unknown;
  std::uint64_t offset_ = 0;       // in the file, after the last byte taken
  std::uint64_t event_start_ = 0;  // of the event being read
  std::uint64_t event_end_ = 0;    // 0 while its header is not read
  std::uint64_t group_begin_ = 0;  // of the open group
  std::uint64_t group_end_ = 0;
  EventHeader event_;

  // The next bytes that are examined; all others are skipped.
  Field field_ = Field::none;
  std::uint64_t field_offset_ = 0;  // in the file
  std::uint32_t field_length_ = 0;
  std::uint32_t field_filled_ = 0;
  bool sums_ = false;      // the event being read is one whose checksum counts
  std::uint32_t crc_ = 0;  // of what was taken of it
  std::array<std::byte, kFieldCapacity> field_bytes_{};

  BinlogFormat format_;
  bool header_read_ = false;
  bool has_gtid_ = false;  // the open group has a GTID
  bool gtids_known_ = false;
  Continuity continuity_ = Continuity::unknown;
  std::uint32_t list_left_ = 0;
  GtidEntry gtid_;  // of the open group
  std::uint64_t group_count_ = 0;
  std::uint64_t unfinished_group_count_ = 0;
  GtidState gtids_;
  GtidState first_gtids_;
  // Of the previous file: the state at its beginning and at its end.
  GtidState previous_first_gtids_;
  GtidState previous_gtids_;
  MysqlGtidTrail mysql_gtids_;
};

}  // namespace binlane

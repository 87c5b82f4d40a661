#include "shim/binlog/group_tracker.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/mutant.h"

namespace binlane {
namespace {

// Layouts of the events' bodies, from the servers' documentation.
constexpr std::uint32_t kFormatBodySize = 2 + 50 + 4;  // version, server version, start-up time
constexpr std::uint32_t kFormatStartupOffset = 2 + 50;
constexpr std::uint32_t kGtidBodySize = 8 + 4 + 1;  // sequence, domain, flags
constexpr std::uint32_t kGtidListEntrySize = 4 + 4 + 8;
constexpr std::uint32_t kGtidListCountMask = 0x0fff'ffff;  // the upper bits are flags

// Where an event of this type, in a file, ends by what the server writes. MariaDB 11.8 writes 0 for
// the events inside a group, and for everything that spilled to its cache's file.
bool always_says_its_end(EventType type) noexcept {
  switch (type) {
    case EventType::stop:
    case EventType::rotate:
    case EventType::format_description:
    case EventType::previous_gtids:
    case EventType::gtid_list:
    case EventType::gtid:
    case EventType::gtid_log:
    case EventType::anonymous_gtid_log:
    case EventType::gtid_tagged_log:
      return true;
    default:
      return false;
  }
}

}  // namespace

const char* to_string(TrackerFault fault) noexcept {
  switch (fault) {
    case TrackerFault::none:
      return "none";
    case TrackerFault::bad_magic:
      return "not a binlog file";
    case TrackerFault::bad_length:
      return "an event has an impossible length";
    case TrackerFault::bad_event:
      return "an event does not contain what its type requires";
    case TrackerFault::encrypted:
      return "the binlog is encrypted";
    case TrackerFault::bytes_after_end:
      return "bytes after the event that ends the file";
    case TrackerFault::misplaced_event:
      return "an event says that it ends elsewhere";
    case TrackerFault::bad_checksum:
      return "an event's checksum is wrong";
    case TrackerFault::cut_off_group:
      return "an event group is not whole, and others follow it";
  }
  return "unknown";
}

void GroupTracker::start_file(std::uint32_t number) noexcept {
  // Only the file after the one that was followed can be compared with it.
  const bool follows = number == file_ + 1;
  if (!follows) gtids_known_ = false;
  mysql_gtids_.start_file(follows);
  previous_first_gtids_ = first_gtids_;
  previous_gtids_ = gtids_;
  file_ = number;
  fault_ = TrackerFault::none;
  ending_ = FileEnding::none;
  groups_ = {};
  last_type_ = EventType::unknown;
  offset_ = 0;
  event_start_ = 0;
  event_end_ = 0;
  group_end_ = 0;
  sums_ = false;
  format_ = {};
  header_read_ = false;
  continuity_ = Continuity::unknown;
  want(Field::magic, 0, kBinlogMagicSize);
}

bool GroupTracker::on_bytes(std::uint64_t file_offset, ConstBytes bytes) noexcept {
  BL_ASSERT(file_ != 0);
  BL_ASSERT(broken() || file_offset == offset_);
  while (!bytes.empty() && !broken()) {
    if (ended()) {
      fail(TrackerFault::bytes_after_end);
      break;
    }
    // Either skip what nobody needs, up to the wanted field or the event's end, or fill the field.
    const bool filling = field_ != Field::none && offset_ >= field_offset_;
    std::uint64_t left = 0;
    if (filling)
      left = field_length_ - field_filled_;
    else
      left = (field_ != Field::none ? field_offset_ : event_end_) - offset_;
    BL_ASSERT(left > 0);
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
    if (filling) {
      std::memcpy(field_bytes_.data() + field_filled_, bytes.data(), taken);
      field_filled_ += static_cast<std::uint32_t>(taken);
    }
    if (sums_) crc_ = crc32(crc_, bytes.first(taken));
    offset_ += taken;
    bytes = bytes.subspan(taken);
    if (filling && field_filled_ == field_length_) on_field();
    if (!broken() && event_end_ != 0 && offset_ == event_end_) finish_event();
  }
  return !broken();
}

void GroupTracker::want(Field field, std::uint64_t offset, std::uint32_t length) noexcept {
  BL_ASSERT(length > 0 && length <= kFieldCapacity);
  field_ = field;
  field_offset_ = offset;
  field_length_ = length;
  field_filled_ = 0;
}

void GroupTracker::want_in_event(Field field, std::uint64_t offset, std::uint32_t length) noexcept {
  if (offset + length > body_end() || event_start_ + offset < offset_) {
    fail(TrackerFault::bad_event);
    return;
  }
  want(field, event_start_ + offset, length);
}

// Offset in the event after its body, where its checksum begins. A format description always has
// one.
std::uint32_t GroupTracker::body_end() const noexcept {
  const bool checksum = format_.checksums || event_.type == EventType::format_description;
  const std::uint32_t trailer = checksum ? kEventChecksumSize : 0;
  return event_.length < kEventHeaderSize + trailer ? 0 : event_.length - trailer;
}

void GroupTracker::on_field() noexcept {
  const Field field = field_;
  field_ = Field::none;
  switch (field) {
    case Field::none:
      BL_ASSERT(false);
      break;
    case Field::magic:
      if (!std::ranges::equal(kBinlogMagic, ConstBytes(field_data(), kBinlogMagicSize))) {
        fail(TrackerFault::bad_magic);
        break;
      }
      event_start_ = offset_;
      group_end_ = offset_;
      want(Field::header, offset_, kEventHeaderSize);
      break;
    case Field::header:
      on_header();
      break;
    case Field::format:
      format_.flags = event_.flags;
      format_.server_id = event_.server_id;
      format_.written_s = event_.timestamp;
      format_.startup_s = load_le<std::uint32_t>(field_data() + kFormatStartupOffset);
      want_in_event(Field::checksum_algorithm, event_.length - kChecksumAlgorithmFromEnd, 1);
      break;
    case Field::checksum_algorithm:
      format_.checksums = field_bytes_[0] != std::byte{0};
      format_.seen = true;
      break;
    case Field::gtid:
      gtid_ = {load_le<std::uint32_t>(field_data() + 8), event_.server_id,
               load_le<std::uint64_t>(field_data())};
      // Not standalone: the BEGIN is implied.
      statement_ = (static_cast<std::uint8_t>(field_bytes_[12]) & kGtidFlagStandalone) != 0
                       ? StatementKind::other
                       : StatementKind::begin;
      break;
    case Field::query_header:
      on_query_header();
      break;
    case Field::query_text:
      statement_ = statement_kind(ConstBytes(field_data(), field_length_));
      break;
    case Field::gtid_list_count:
      list_left_ = load_le<std::uint32_t>(field_data()) & kGtidListCountMask;
      if (list_left_ > 0)
        want_in_event(Field::gtid_list_entry, kEventHeaderSize + sizeof list_left_,
                      kGtidListEntrySize);
      break;
    case Field::gtid_list_entry:
      first_gtids_.set({load_le<std::uint32_t>(field_data()),
                        load_le<std::uint32_t>(field_data() + 4),
                        load_le<std::uint64_t>(field_data() + 8)});
      if (--list_left_ > 0)
        want_in_event(Field::gtid_list_entry, offset_ - event_start_, kGtidListEntrySize);
      break;
    case Field::mysql_gtid:
      mysql_gtids_.begin_group(event_.type, ConstBytes(field_data(), field_length_));
      break;
    case Field::previous_gtids_piece:
      mysql_gtids_.list().take(ConstBytes(field_data(), field_length_));
      want_previous_gtids();
      break;
  }
}

void GroupTracker::on_header() noexcept {
  event_ = parse_event_header(field_data());
  if (event_.length < kEventHeaderSize || event_.length > kMaxEventLength) {
    fail(TrackerFault::bad_length);
    return;
  }
  if (!format_.seen && event_.type != EventType::format_description) {
    fail(TrackerFault::bad_event);
    return;
  }
  event_end_ = event_start_ + event_.length;
  const bool silent = event_.end_low == 0 && !always_says_its_end(event_.type);
  if (BL_MUTANT(tailer_follows_misplaced_events, false,
                event_.end_low != static_cast<std::uint32_t>(event_end_) && !silent)) {
    event_end_ = 0;
    fail(TrackerFault::misplaced_event);
    return;
  }
  begin_sum();
  statement_ = StatementKind::other;
  switch (event_.type) {
    case EventType::format_description:
      want_in_event(Field::format, kEventHeaderSize, kFormatBodySize);
      break;
    case EventType::gtid:
      want_in_event(Field::gtid, kEventHeaderSize, kGtidBodySize);
      break;
    case EventType::query:
      want_in_event(Field::query_header, kEventHeaderSize, kQueryHeaderSize);
      break;
    case EventType::gtid_list:
      // The list at the file's beginning is the one that counts; a binlog contains no other.
      if (header_read_) break;
      first_gtids_.clear();
      want_in_event(Field::gtid_list_count, kEventHeaderSize, sizeof list_left_);
      break;
    case EventType::gtid_log:
    case EventType::gtid_tagged_log:
    case EventType::anonymous_gtid_log:
      on_mysql_gtid_header();
      break;
    case EventType::previous_gtids:
      if (header_read_) break;
      mysql_gtids_.list().begin(body_length());
      want_previous_gtids();
      break;
    default:
      break;
  }
}

// The header was taken as a field. Only after its format description is it known whether a file has
// checksums. The format description's own checksum was computed before the server marked the file
// as in use.
void GroupTracker::begin_sum() noexcept {
  const bool format = event_.type == EventType::format_description;
  sums_ = format || (format_.checksums && may_end_group(event_.type));
  if (!sums_) return;
  if (format) field_bytes_[kEventFlagsOffset] &= ~std::byte{kEventFlagInUse};
  crc_ = crc32(0, ConstBytes(field_data(), kEventHeaderSize));
}

bool GroupTracker::sum_is_right() const noexcept {
  return BL_MUTANT(checksum_not_verified, true,
                   !sums_ || !format_.checksums || crc_ == kCrc32OfWholeEvent);
}

void GroupTracker::on_query_header() noexcept {
  const auto schema_size = static_cast<std::uint8_t>(field_bytes_[8]);
  const auto status_size = load_le<std::uint16_t>(field_data() + 11);
  const std::uint32_t text_offset = static_cast<std::uint32_t>(kEventHeaderSize) +
                                    kQueryHeaderSize + status_size + schema_size + 1;
  if (text_offset > body_end()) {
    fail(TrackerFault::bad_event);
    return;
  }
  // An empty statement is odd, but it is none of those that are recognised by their text.
  const std::uint32_t text_size = body_end() - text_offset;
  if (text_size > 0)
    want_in_event(Field::query_text, text_offset, std::min(text_size, kStatementPrefixSize));
}

void GroupTracker::on_mysql_gtid_header() noexcept {
  const std::uint32_t length = std::min(body_length(), kMysqlGtidFront);
  if (length > 0)
    want_in_event(Field::mysql_gtid, kEventHeaderSize, length);
  else
    mysql_gtids_.begin_group(event_.type, {});
}

// The next piece follows where the last one ended.
void GroupTracker::want_previous_gtids() noexcept {
  const std::uint32_t length = mysql_gtids_.list().wanted();
  if (length > 0) want_in_event(Field::previous_gtids_piece, offset_ - event_start_, length);
}

void GroupTracker::finish_event() noexcept {
  BL_ASSERT(field_ == Field::none);
  if (!sum_is_right()) {
    event_end_ = 0;
    fail(TrackerFault::bad_checksum);
    return;
  }
  sums_ = false;
  const Position previous_end = last_event_end();
  event_start_ = event_end_;
  event_end_ = 0;
  last_type_ = event_.type;
  want(Field::header, offset_, kEventHeaderSize);

  const bool was_open = groups_.is_open();
  const EventGroup::Step step = groups_.take(event_.type, statement_);
  if (step.cut_off) {
    cut_off_group();
    if (broken()) return;
    // Its GTID is not in the state: it is no whole group.
    ++group_count_;
    group_end_ = previous_end.offset;
  }
  if (!step.outside && (step.cut_off || !was_open)) {
    group_begin_ = previous_end.offset;
    has_gtid_ = event_.type == EventType::gtid;
    if (!is_mysql_gtid(event_.type)) mysql_gtids_.begin_group_without_event();
  }
  if (step.ended) count_group();
  if (step.ended || step.outside) group_end_ = offset_;
  switch (event_.type) {
    case EventType::format_description:
      return;
    case EventType::rotate:
      ending_ = FileEnding::rotate;
      break;
    case EventType::stop:
      ending_ = FileEnding::stop;
      break;
    case EventType::start_encryption:
      fail(TrackerFault::encrypted);
      break;
    case EventType::gtid_list:
      if (!header_read_) finish_gtid_list();
      break;
    case EventType::previous_gtids:
      if (!header_read_) continuity_ = mysql_gtids_.end_list();
      break;
    default:
      break;
  }
  header_read_ = true;
}

void GroupTracker::count_group() noexcept {
  ++group_count_;
  if (has_gtid_) gtids_.set(gtid_);
  mysql_gtids_.end_group();
}

void GroupTracker::cut_off_group() noexcept {
  ++unfinished_group_count_;
  if (BL_MUTANT(tailer_follows_misplaced_events, false, has_gtid_))
    fail(TrackerFault::cut_off_group);
}

void GroupTracker::finish_gtid_list() noexcept {
  if (list_left_ != 0) {
    fail(TrackerFault::bad_event);
    return;
  }
  const bool comparable = gtids_known_ && previous_first_gtids_.overflow() == 0 &&
                          gtids_.overflow() == 0 && first_gtids_.overflow() == 0;
  if (comparable)
    continuity_ =
        judge_continuity(previous_first_gtids_.entries(), gtids_.entries(), first_gtids_.entries());
  gtids_ = first_gtids_;
  gtids_known_ = true;
}

}  // namespace binlane

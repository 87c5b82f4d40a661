#include "shim/binlog/event_group.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace binlane {
namespace {

constexpr std::size_t kGtidFlagsOffset = kEventHeaderSize + 8 + 4;  // after sequence and domain

// Event types that only ever come before the rest of their statement, and have no name here.
constexpr auto kIncompleteStatementTypes = std::to_array<std::uint8_t>({
    9,   11,  17,  29,             // pieces of LOAD DATA, and MySQL's Rows_query
    20,  21,  22,  23,  24,  25,   // row events, older versions
    30,  31,  32,  39,             // row events
    166, 167, 168, 169, 170, 171,  // MariaDB's compressed row events
});

// Events that belong to no group. Exception: MySQL gives an incident a GTID, and the incident then
// ends its group.
bool is_outside_groups(EventType type) noexcept {
  switch (type) {
    case EventType::unknown:
    case EventType::stop:
    case EventType::rotate:
    case EventType::format_description:
    case EventType::incident:
    case EventType::heartbeat:
    case EventType::previous_gtids:
    case EventType::binlog_checkpoint:
    case EventType::gtid_list:
    case EventType::start_encryption:
      return true;
    default:
      return false;
  }
}

bool opens_group(EventType type) noexcept {
  switch (type) {
    case EventType::gtid:
    case EventType::gtid_log:
    case EventType::anonymous_gtid_log:
    case EventType::gtid_tagged_log:
      return true;
    default:
      return false;
  }
}

// Never the last event of a group of one statement.
bool is_incomplete_statement(EventType type) noexcept {
  switch (type) {
    case EventType::intvar:
    case EventType::rand:
    case EventType::user_var:
    case EventType::table_map:
    case EventType::annotate_rows:
      return true;
    default:
      return std::ranges::find(kIncompleteStatementTypes, static_cast<std::uint8_t>(type)) !=
             kIncompleteStatementTypes.end();
  }
}

}  // namespace

StatementKind statement_kind(ConstBytes text) noexcept {
  const std::string_view words(reinterpret_cast<const char*>(text.data()), text.size());
  if (words == "BEGIN" || words.starts_with("XA START")) return StatementKind::begin;
  if (words == "COMMIT" || words == "ROLLBACK") return StatementKind::end;
  return StatementKind::other;
}

StatementKind statement_kind(const EventHeader& header, ConstBytes front, bool checksums) noexcept {
  if (header.type == EventType::gtid) {
    if (front.size() <= kGtidFlagsOffset) return StatementKind::other;
    const auto flags = static_cast<std::uint8_t>(front[kGtidFlagsOffset]);
    return (flags & kGtidFlagStandalone) != 0 ? StatementKind::other : StatementKind::begin;
  }
  if (header.type != EventType::query) return StatementKind::other;
  if (front.size() < kEventHeaderSize + kQueryHeaderSize) return StatementKind::other;
  const std::byte* const fields = front.data() + kEventHeaderSize;
  const std::size_t text_at = kEventHeaderSize + kQueryHeaderSize +
                              load_le<std::uint16_t>(fields + kQueryStatusSizeOffset) +
                              static_cast<std::uint8_t>(fields[kQuerySchemaSizeOffset]) + 1;
  const std::size_t trailer = checksums ? kEventChecksumSize : 0;
  if (header.length < text_at + trailer || front.size() < text_at) return StatementKind::other;
  const std::size_t length = std::min({std::size_t{header.length} - trailer - text_at,
                                       front.size() - text_at, std::size_t{kStatementPrefixSize}});
  return statement_kind(front.subspan(text_at, length));
}

bool may_end_group(EventType type) noexcept {
  return !opens_group(type) && !is_incomplete_statement(type);
}

EventGroup::Step EventGroup::take(EventType type, StatementKind statement) noexcept {
  if (is_outside_groups(type)) {
    const bool was_open = is_open();
    group_ = Group::none;
    const bool closes = was_open && type == EventType::incident;
    return {.cut_off = was_open && !closes, .ended = closes, .outside = true};
  }
  if (opens_group(type)) {
    const bool was_open = is_open();
    group_ = type != EventType::gtid             ? Group::undecided
             : statement == StatementKind::begin ? Group::transaction
                                                 : Group::statement;
    return {.cut_off = was_open, .ended = false, .outside = false};
  }
  // A server without GTIDs: the first event opens the group.
  if (!is_open()) group_ = Group::undecided;
  const bool last = is_last(type, statement);
  if (last) group_ = Group::none;
  return {.cut_off = false, .ended = last, .outside = false};
}

bool EventGroup::is_last(EventType type, StatementKind statement) noexcept {
  switch (type) {
    case EventType::xid:
    case EventType::xa_prepare:
    case EventType::transaction_payload:
      return true;
    default:
      break;
  }
  if (is_incomplete_statement(type)) return false;
  if (group_ == Group::undecided && statement == StatementKind::begin) {
    group_ = Group::transaction;
    return false;
  }
  return group_ != Group::transaction || statement == StatementKind::end;
}

}  // namespace binlane

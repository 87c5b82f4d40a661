#include "shim/server/dump_parser.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/binlog_number.h"
#include "shim/server/semi_sync_ack.h"

namespace binlane {
namespace {

constexpr std::uint32_t kFullPacket = 0xff'ffff;
constexpr std::byte kOkPacket{0x00};
constexpr std::byte kEofPacket{0xfe};
// An EOF packet has at most this many bytes; longer payloads that begin with FE are something else.
constexpr std::uint64_t kMaxEofPacket = 8;
constexpr std::byte kAckWantedFlag{0x01};
constexpr std::size_t kRotatePositionSize = 8;
constexpr auto kHeartbeatV2 = static_cast<EventType>(41);  // MySQL 8.0.26+
// A format description ends with the checksum algorithm and a checksum of its own.
constexpr std::size_t kFormatTailSize = 1 + kEventChecksumSize;
constexpr std::byte kChecksumCrc32{1};

std::string_view as_text(ConstBytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

DumpParser::DumpParser(const Options& options) noexcept
    : checksums_(options.checksums), semi_sync_(options.semi_sync) {}

DumpParser::Result DumpParser::next(ConstBytes& input, DumpEvent& event) noexcept {
  while (state_ == State::running) {
    if (stage_ == Stage::header) {
      if (input.empty()) return Result::need_more;
      take_header_byte(input.front());
      input = input.subspan(1);
    } else {
      if (packet_left_ > 0 && input.empty()) return Result::need_more;
      input = input.subspan(take_payload(input));
    }
    if (stage_ == Stage::payload && packet_left_ == 0) {
      stage_ = Stage::header;
      if (packet_ended(event)) return Result::event;
    }
  }
  return Result::stopped;
}

void DumpParser::take_header_byte(std::byte byte) noexcept {
  header_[header_size_++] = byte;
  if (header_size_ < header_.size()) return;
  header_size_ = 0;
  packet_left_ = load_le<std::uint32_t>(header_.data()) & kFullPacket;
  continues_ = packet_left_ == kFullPacket;
  stage_ = Stage::payload;
}

std::size_t DumpParser::take_payload(ConstBytes input) noexcept {
  const auto taken = std::min<std::size_t>(input.size(), packet_left_);
  const auto kept = std::min(taken, kKeptBytes - kept_size_);
  std::memcpy(kept_.data() + kept_size_, input.data(), kept);
  kept_size_ += kept;
  payload_bytes_ += taken;
  packet_left_ -= static_cast<std::uint32_t>(taken);
  if (payload_bytes_ > kMaxEventBytes) fail("an event larger than any server makes");
  return taken;
}

// A packet is complete; true when it completes an event.
bool DumpParser::packet_ended(DumpEvent& event) noexcept {
  if (state_ != State::running || continues_) return false;
  const ConstBytes kept(kept_.data(), kept_size_);
  bool is_event = false;
  if (kept.empty()) {
    fail("an empty packet");
  } else if (kept[0] == kOkPacket) {
    is_event = finish_event(event);
  } else if (kept[0] == kErrorPacket) {
    finish_error();
  } else if (kept[0] == kEofPacket && payload_bytes_ <= kMaxEofPacket) {
    state_ = State::end_of_stream;
  } else {
    fail("a packet that is no event, error or end");
  }
  // What was kept remains in place until the next byte arrives, because results point into it.
  kept_size_ = 0;
  payload_bytes_ = 0;
  return is_event;
}

bool DumpParser::finish_event(DumpEvent& event) noexcept {
  const std::size_t prefix = semi_sync_ ? 3 : 1;
  if (kept_size_ < prefix + kEventHeaderSize) return fail("an event shorter than its header");
  if (semi_sync_ && kept_[1] != kSemiSyncMagic) return fail("an event without semi-sync prefix");
  const EventHeader header = parse_event_header(kept_.data() + prefix);
  if (header.length != payload_bytes_ - prefix)
    return fail("an event's length is not its packet's");

  event = DumpEvent{};
  event.type = header.type;
  event.wire_bytes = header.length;
  event.ack_wanted = semi_sync_ && (kept_[2] & kAckWantedFlag) != std::byte{0};
  event.heartbeat = header.type == EventType::heartbeat || header.type == kHeartbeatV2;
  // An end of 0 also marks an artificial event, unless the position is about to wrap around there.
  constexpr std::uint32_t kHalf = 0x8000'0000;
  const bool no_end = header.end_low == 0 && (header.type == EventType::format_description ||
                                              static_cast<std::uint32_t>(position_.offset) < kHalf);
  event.artificial = event.heartbeat || no_end || (header.flags & kEventFlagArtificial) != 0;

  const ConstBytes kept(kept_.data() + prefix, kept_size_ - prefix);
  if (header.type == EventType::rotate) return finish_rotate(header, kept, event);
  if (position_.is_null()) return fail("an event before the first Rotate");
  if (header.type == EventType::format_description) learn_checksums(header, kept);
  return event.artificial ? (event.end = position_, true) : advance(header, event);
}

bool DumpParser::finish_rotate(const EventHeader& header, ConstBytes kept,
                               DumpEvent& event) noexcept {
  const std::size_t checksum = checksums_ ? kEventChecksumSize : 0;
  const std::size_t fixed = kEventHeaderSize + kRotatePositionSize;
  if (header.length <= fixed + checksum || header.length > kept.size())
    return fail("a Rotate of impossible length");
  const ConstBytes name = kept.subspan(fixed, header.length - fixed - checksum);
  if (name.size() > kMaxBinlogNameSize) return fail("a Rotate with too long a name");
  event.next_file_name = as_text(name);
  event.next = {binlog_file_number(event.next_file_name),
                load_le<std::uint64_t>(kept.data() + kEventHeaderSize)};
  if (event.next.is_null()) return fail("a Rotate to a file without a number");
  if (event.next.offset < kBinlogMagicSize) return fail("a Rotate into a file's magic");
  // Near the end of the number range the position would wrap around.
  if (event.next.offset > kMaxFileOffset) return fail("a Rotate beyond any file's end");
  if (!event.artificial) {
    if (position_.is_null()) return fail("an event before the first Rotate");
    if (!advance(header, event)) return false;
  }
  if (event.next < position_) return fail("the stream went backwards");
  position_ = event.next;
  if (event.artificial) event.end = position_;
  return true;
}

// Events carry checksums if the format description in force says so; the servers leave the
// connection's own choice in it when they strip them.
void DumpParser::learn_checksums(const EventHeader& header, ConstBytes kept) noexcept {
  if (header.length > kept.size() || header.length < kEventHeaderSize + kFormatTailSize) return;
  checksums_ = kept[header.length - kFormatTailSize] == kChecksumCrc32;
}

bool DumpParser::advance(const EventHeader& header, DumpEvent& event) noexcept {
  const std::uint32_t step = header.end_low - static_cast<std::uint32_t>(position_.offset);
  if (step < kEventHeaderSize || step > kMaxPositionStep) return fail("the stream went backwards");
  position_.offset += step;
  event.end = position_;
  return true;
}

void DumpParser::finish_error() noexcept {
  constexpr std::size_t kCodeEnd = 3;
  if (kept_size_ < kCodeEnd) {
    fail("an error packet without a code");
    return;
  }
  state_ = State::server_error;
  error_code_ = load_le<std::uint16_t>(kept_.data() + 1);
  // '#' and five characters of SQL state come before the text.
  constexpr std::size_t kSqlStateSize = 6;
  error_text_at_ = kCodeEnd;
  if (kept_size_ >= kCodeEnd + kSqlStateSize && kept_[kCodeEnd] == std::byte{'#'})
    error_text_at_ += kSqlStateSize;
  error_text_size_ = kept_size_ - error_text_at_;
}

DumpServerError DumpParser::server_error() const noexcept {
  BL_ASSERT(state_ == State::server_error);
  return {error_code_, as_text(ConstBytes(kept_.data() + error_text_at_, error_text_size_))};
}

bool DumpParser::fail(const char* reason) noexcept {
  state_ = State::malformed;
  malformed_reason_ = reason;
  return false;
}

}  // namespace binlane

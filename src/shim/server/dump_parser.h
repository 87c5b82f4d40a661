// DumpParser: splits the byte stream of a dump connection into events.
//
// It takes bytes in chunks of any size. It keeps only the beginning of the current event (enough
// for a Rotate's name, a format description and an error's text), so it handles a 1 GiB event
// without buffering it. Its input is untrusted: every length is checked, and anything that does not
// fit ends in State::malformed with a reason, never in a read out of bounds.
//
// Framing: packets of 3 bytes length, 1 byte sequence, payload; a payload of 2^24-1 bytes continues
// in the next packet. An event is `00 EF flags event` on a semi-sync connection, `00 event` on a
// plain one; only an event's first packet has the prefix. Sequence numbers are not checked: on a
// semi-sync connection the server restarts them whenever it likes.
//
// Positions: an event's own end position has 32 bits. The parser keeps the high part and the file's
// number (from Rotate events) itself, so that DumpEvent::end is a true 64-bit position, which only
// grows. One instance per connection; no I/O, no clock, no allocation after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/position.h"
#include "shim/binlog/binlog_event.h"

namespace binlane {

struct DumpEvent {
  EventType type = EventType::unknown;
  bool ack_wanted = false;
  bool heartbeat = false;
  // A Rotate, Stop or format description that the dump thread made up, or any other event that is
  // not in the binlog at this position.
  bool artificial = false;
  Position end;                  // after this event; for artificial events, the dump's position
  std::uint64_t wire_bytes = 0;  // of the event itself, without framing
  // Only on Rotate events, artificial ones included: the file that comes next, and where in it.
  // The view is valid until the next call of the parser.
  std::string_view next_file_name;
  Position next;
};

// With sync_binlog = 1: whether the server had synced everything up to `event.end` when it sent the
// event. Artificial events prove nothing. Neither does a Rotate: MariaDB sends it to its dump
// threads before it syncs and closes the file. The next file's first event comes after that sync
// and covers both.
constexpr bool proves_synced(const DumpEvent& event) noexcept {
  return !event.artificial && event.type != EventType::rotate;
}

// The server ended the dump; the text is cut to what the parser keeps.
struct DumpServerError {
  std::uint16_t code = 0;
  std::string_view text;
};

class DumpParser {
 public:
  enum class State {
    running,
    end_of_stream,  // EOF packet: a non-blocking dump is complete, or the server shuts down
    server_error,   // see server_error()
    malformed,      // see malformed_reason()
  };
  enum class Result { need_more, event, stopped };

  struct Options {
    bool semi_sync = true;
    // Whether the server adds checksums to the artificial events before the first format
    // description; from then on the format description says so.
    bool checksums = true;
  };

  // Room for the header of the largest format description and for a Rotate with the longest name.
  static constexpr std::size_t kKeptBytes = 1024;
  // No event is larger than max_allowed_packet can be (1 GiB) plus what surrounds it.
  static constexpr std::uint64_t kMaxEventBytes = (std::uint64_t{1} << 30) + (1 << 20);
  // Events that a dump leaves out (MariaDB's annotations without flag 2, of up to 1 GiB) make the
  // position jump.
  static constexpr std::uint32_t kMaxPositionStep = 0x9000'0000;
  // No file is longer; real files are far smaller.
  static constexpr std::uint64_t kMaxFileOffset = std::uint64_t{1} << 62;

  explicit DumpParser(const Options& options) noexcept;

  // Consumes bytes from the front of `input` until an event is complete (Result::event, `event` is
  // set, input begins after it), the bytes are used up, or the stream has stopped.
  Result next(ConstBytes& input, DumpEvent& event) noexcept;

  State state() const noexcept { return state_; }
  DumpServerError server_error() const noexcept;
  const char* malformed_reason() const noexcept { return malformed_reason_; }
  // The dump's position; null before the first Rotate.
  const Position& position() const noexcept { return position_; }

 private:
  enum class Stage { header, payload };

  void take_header_byte(std::byte byte) noexcept;
  std::size_t take_payload(ConstBytes input) noexcept;
  bool packet_ended(DumpEvent& event) noexcept;
  bool finish_event(DumpEvent& event) noexcept;
  bool finish_rotate(const EventHeader& header, ConstBytes body, DumpEvent& event) noexcept;
  void learn_checksums(const EventHeader& header, ConstBytes kept) noexcept;
  bool advance(const EventHeader& header, DumpEvent& event) noexcept;
  void finish_error() noexcept;
  bool fail(const char* reason) noexcept;

  Stage stage_ = Stage::header;
  State state_ = State::running;
  std::array<std::byte, 4> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t packet_left_ = 0;
  bool continues_ = false;           // this packet is full, so the payload continues in the next
  std::uint64_t payload_bytes_ = 0;  // of the logical payload so far, over all its packets
  std::array<std::byte, kKeptBytes> kept_{};
  std::size_t kept_size_ = 0;
  Position position_;
  bool checksums_;
  const bool semi_sync_;
  std::uint16_t error_code_ = 0;
  std::size_t error_text_at_ = 0;
  std::size_t error_text_size_ = 0;
  const char* malformed_reason_ = "";
};

}  // namespace binlane

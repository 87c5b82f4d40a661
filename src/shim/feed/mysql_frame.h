// The framing of the MySQL client/server protocol: a payload is split into frames of at most
// kMaxFrame bytes, each with 3 bytes of length and a sequence number.
//
// Pure. What is deframed may come from a stranger.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "shim/feed/mysql_fields.h"

namespace binlane::mysql {

inline constexpr std::size_t kFrameHeaderSize = 4;
// A frame of this length says that the packet continues in the next one.
inline constexpr std::size_t kMaxFrame = 0xffffff;

// A frame's header for `length` payload bytes.
std::array<std::byte, kFrameHeaderSize> frame_header(std::size_t length, std::uint8_t sequence);

// Frames one payload, however long; `sequence` is that of its first frame, and becomes the next
// one.
void append_framed(Payload& out, ConstBytes payload, std::uint8_t& sequence);

// Assembles payloads from a stream of bytes cut anywhere.
class Deframer {
 public:
  enum class State : std::uint8_t { incomplete, complete, too_long, out_of_sequence };

  explicit Deframer(std::size_t max_payload) : max_payload_(max_payload) {}

  // Of the packets that begin from here on.
  void set_max_payload(std::size_t max_payload) { max_payload_ = max_payload; }
  // The sequence number that the next frame must carry.
  void expect_sequence(std::uint8_t sequence) { sequence_ = sequence; }
  // The number of the frame after the last one, which an answer's first frame carries.
  std::uint8_t next_sequence() const { return sequence_; }

  // Takes bytes up to the end of the payload; returns how many. Takes none unless incomplete.
  std::size_t consume(ConstBytes bytes);
  State state() const { return state_; }
  // The payload, once complete; begins the next one.
  Payload take();

 private:
  void on_header();

  std::size_t max_payload_;
  std::uint8_t sequence_ = 0;
  State state_ = State::incomplete;
  std::array<std::byte, kFrameHeaderSize> header_{};
  std::size_t header_filled_ = 0;
  std::size_t frame_left_ = 0;
  bool last_frame_ = false;
  Payload payload_;
};

}  // namespace binlane::mysql

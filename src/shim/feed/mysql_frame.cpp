#include "shim/feed/mysql_frame.h"

#include <algorithm>

#include "base/assert.h"

namespace binlane::mysql {

std::array<std::byte, kFrameHeaderSize> frame_header(std::size_t length, std::uint8_t sequence) {
  BL_ASSERT(length <= kMaxFrame);
  std::array<std::byte, kFrameHeaderSize> header;
  store_le(header.data(), static_cast<std::uint32_t>(length) | std::uint32_t{sequence} << 24);
  return header;
}

void append_framed(Payload& out, ConstBytes payload, std::uint8_t& sequence) {
  for (;;) {
    const std::size_t length = std::min(payload.size(), kMaxFrame);
    const auto header = frame_header(length, sequence++);
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(length));
    // A payload of a whole number of full frames ends with an empty one.
    if (length < kMaxFrame) return;
    payload = payload.subspan(length);
  }
}

std::size_t Deframer::consume(ConstBytes bytes) {
  std::size_t used = 0;
  while (state_ == State::incomplete && used < bytes.size()) {
    const ConstBytes rest = bytes.subspan(used);
    if (header_filled_ < kFrameHeaderSize) {
      const std::size_t count = std::min(rest.size(), kFrameHeaderSize - header_filled_);
      std::copy_n(rest.begin(), count,
                  header_.begin() + static_cast<std::ptrdiff_t>(header_filled_));
      header_filled_ += count;
      used += count;
      if (header_filled_ < kFrameHeaderSize) break;
      on_header();
    } else {
      const std::size_t count = std::min(rest.size(), frame_left_);
      payload_.insert(payload_.end(), rest.begin(),
                      rest.begin() + static_cast<std::ptrdiff_t>(count));
      frame_left_ -= count;
      used += count;
    }
    if (state_ == State::incomplete && frame_left_ == 0) {
      header_filled_ = 0;
      if (last_frame_) state_ = State::complete;
    }
  }
  return used;
}

void Deframer::on_header() {
  const auto word = load_le<std::uint32_t>(header_.data());
  const std::size_t length = word & kMaxFrame;
  if (static_cast<std::uint8_t>(word >> 24) != sequence_) {
    state_ = State::out_of_sequence;
  } else if (length > max_payload_ - payload_.size()) {
    state_ = State::too_long;
  } else {
    ++sequence_;
    frame_left_ = length;
    last_frame_ = length < kMaxFrame;
  }
}

Payload Deframer::take() {
  BL_ASSERT(state_ == State::complete);
  state_ = State::incomplete;
  Payload payload;
  payload.swap(payload_);
  return payload;
}

}  // namespace binlane::mysql

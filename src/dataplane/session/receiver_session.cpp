#include "dataplane/session/receiver_session.h"

namespace binlane {

ReceiverSession::ReceiverSession(std::uint32_t max_payload)
    : max_payload_(max_payload), slot_storage_(kReorderSlots * std::size_t{max_payload}) {
  BL_ASSERT(max_payload >= sizeof(wire::FileEndPayload));
}

bool ReceiverSession::parse(const FrameView& frame, Piece& piece, ConstBytes& payload) noexcept {
  const auto body = body_as<wire::DataBody>(frame);
  payload = frame.body.subspan(sizeof(wire::DataBody));
  piece.offset = body.stream_offset;
  piece.at = {body.file_number, body.file_offset};
  if (piece.offset > kOffsetLimit || !is_plausible(piece.at)) return false;
  if ((frame.header.flags & wire::kFlagFileEnd) == 0) {
    piece.length = static_cast<std::uint32_t>(payload.size());
    return piece.length == 0 || !piece.at.is_null();
  }
  wire::FileEndPayload end;
  BL_ASSERT(payload.size() == sizeof end);  // decode() demands it
  std::memcpy(static_cast<void*>(&end), payload.data(), sizeof end);
  piece.file_end = true;
  piece.length = 1;
  piece.end = {piece.at.file, end.final_size, end.last_group_end, end.flags_byte};
  payload = {};
  return !piece.at.is_null() && piece.end.final_size == piece.at.offset &&
         piece.end.last_group_end <= piece.end.final_size;
}

bool ReceiverSession::is_noted(std::uint64_t number) const noexcept {
  if (number > largest_packet_) return false;
  const std::uint64_t distance = largest_packet_ - number;
  if (distance >= wire::kBitmapBits)
    return true;  // too old to tell; the source no longer waits for it either
  return (bitmap_[distance / 64] >> (distance % 64) & 1) != 0;
}

void ReceiverSession::note_packet(std::uint64_t number, std::uint64_t now_ns) noexcept {
  BL_ASSERT(number != 0 && !is_noted(number));
  if (number > largest_packet_) {
    const std::uint64_t shift = number - largest_packet_;
    constexpr std::size_t kWords = wire::kBitmapBits / 64;
    for (std::size_t i = kWords; i-- > 0;) {
      const std::uint64_t words = shift / 64;
      const std::uint64_t bits = shift % 64;
      std::uint64_t value = 0;
      if (i >= words) {
        value = bitmap_[i - words] << bits;
        if (bits > 0 && i > words) value |= bitmap_[i - words - 1] >> (64 - bits);
      }
      bitmap_[i] = value;
    }
    largest_packet_ = number;
    largest_packet_ns_ = now_ns;
    bitmap_[0] |= 1;
    return;
  }
  const std::uint64_t distance = largest_packet_ - number;
  if (distance < wire::kBitmapBits) bitmap_[distance / 64] |= std::uint64_t{1} << (distance % 64);
}

ReceiverSession::Taken ReceiverSession::keep(const Piece& piece, ConstBytes payload) noexcept {
  BL_ASSERT(piece.offset > received_ && payload.size() == piece.byte_count());
  const bool in_window = piece.end_offset() <= window_sent_;
  if (!in_window || payload.size() > max_payload_ || slots_used_ == slots_.size()) {
    ++counters_.dropped_no_slot;
    return Taken::no;
  }
  std::size_t free = slots_.size();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].used) {
      free = std::min(free, i);
    } else if (slots_[i].piece.offset == piece.offset && slots_[i].piece.length >= piece.length) {
      return Taken::duplicate;
    }
  }
  BL_ASSERT(free < slots_.size());
  slots_[free] = {true, piece};
  std::copy(payload.begin(), payload.end(), slot_bytes(free).begin());
  ++slots_used_;
  ++counters_.out_of_order;
  return Taken::yes;
}

}  // namespace binlane

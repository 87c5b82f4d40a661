// The semi-sync ACK packet: what a replica writes on its dump connection to say "I have it".
//
//   3 bytes length, 1 byte sequence (0) | EF | u64 position | file name, no terminator
//
// Cumulative: the server takes it for everything up to the position. Allocation-free, for the lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace binlane {

// Both servers keep binlog names in FN_REFLEN (512) bytes, path included.
inline constexpr std::size_t kMaxBinlogNameSize = 255;
inline constexpr std::size_t kPacketHeaderSize = 4;
inline constexpr std::byte kSemiSyncMagic{0xef};
inline constexpr std::byte kErrorPacket{0xff};  // an answer or an event that is an error
inline constexpr std::size_t kMaxSemiSyncAckSize = kPacketHeaderSize + 1 + 8 + kMaxBinlogNameSize;

// Returns the packet's length; asserts that `out` holds it and that the name is 1 to
// kMaxBinlogNameSize bytes long.
std::size_t encode_semi_sync_ack(MutableBytes out, std::string_view file_name,
                                 std::uint64_t offset) noexcept;

// "<basename>.<number, at least six digits>" without allocation; returns its length. Asserts that
// `out` holds kMaxBinlogNameSize bytes and that the name fits.
std::size_t format_binlog_name(std::span<char> out, std::string_view basename,
                               std::uint32_t file) noexcept;

}  // namespace binlane

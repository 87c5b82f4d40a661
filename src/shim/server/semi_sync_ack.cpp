#include "shim/server/semi_sync_ack.h"

#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace binlane {

std::size_t encode_semi_sync_ack(MutableBytes out, std::string_view file_name,
                                 std::uint64_t offset) noexcept {
  BL_ASSERT(!file_name.empty() && file_name.size() <= kMaxBinlogNameSize);
  const std::size_t payload = 1 + sizeof offset + file_name.size();
  BL_ASSERT(out.size() >= kPacketHeaderSize + payload);
  // The fourth byte, the sequence number, is 0: the server does not count an ACK as an answer.
  store_le<std::uint32_t>(out.data(), static_cast<std::uint32_t>(payload));
  out[kPacketHeaderSize] = kSemiSyncMagic;
  store_le<std::uint64_t>(out.data() + kPacketHeaderSize + 1, offset);
  std::memcpy(out.data() + kPacketHeaderSize + 1 + sizeof offset, file_name.data(),
              file_name.size());
  return kPacketHeaderSize + payload;
}

std::size_t format_binlog_name(std::span<char> out, std::string_view basename,
                               std::uint32_t file) noexcept {
  constexpr std::size_t kMinDigits = 6;
  constexpr std::size_t kMaxDigits = 10;
  char digits[kMaxDigits];
  const auto [end, error] = std::to_chars(digits, digits + kMaxDigits, file);
  BL_ASSERT(error == std::errc{});
  const auto count = static_cast<std::size_t>(end - digits);
  const std::size_t zeros = count < kMinDigits ? kMinDigits - count : 0;
  const std::size_t length = basename.size() + 1 + zeros + count;
  BL_ASSERT(!basename.empty() && length <= kMaxBinlogNameSize && length <= out.size());
  char* at = out.data();
  std::memcpy(at, basename.data(), basename.size());
  at += basename.size();
  *at++ = '.';
  std::memset(at, '0', zeros);
  std::memcpy(at + zeros, digits, count);
  return length;
}

}  // namespace binlane

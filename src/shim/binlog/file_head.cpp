#include "shim/binlog/file_head.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/crc32.h"
#include "shim/binlog/binlog_event.h"

namespace binlane {
namespace {

bool is_zero(std::byte byte) noexcept {
  return byte == std::byte{0};
}

// The format description's checksum was computed before the server marked the file as in use.
bool sum_is_right(ConstBytes event) noexcept {
  std::byte header[kEventHeaderSize];
  std::copy_n(event.begin(), kEventHeaderSize, header);
  if (parse_event_header(header).type == EventType::format_description)
    header[kEventFlagsOffset] &= ~std::byte{kEventFlagInUse};
  return crc32(crc32(0, header), event.subspan(kEventHeaderSize)) == kCrc32OfWholeEvent;
}

}  // namespace

FileHead judge_head(ConstBytes head) noexcept {
  BL_ASSERT(head.size() <= kFileHeadSize);
  const ConstBytes magic = head.first(std::min(head.size(), kBinlogMagicSize));
  if (std::ranges::all_of(magic, is_zero)) return FileHead::absent;
  for (std::size_t at = 0; at < magic.size(); ++at) {
    if (magic[at] != kBinlogMagic[at] && !is_zero(magic[at])) return FileHead::whole;
  }
  if (!std::ranges::equal(magic, kBinlogMagic)) return FileHead::torn;
  bool summed = false;
  for (ConstBytes left = head.subspan(kBinlogMagicSize); left.size() >= kEventHeaderSize;) {
    const EventHeader header = parse_event_header(left.data());
    const bool format = header.type == EventType::format_description;
    if (header.length < kEventHeaderSize + (format ? kChecksumAlgorithmFromEnd : 0))
      return FileHead::torn;
    if (header.length > left.size()) break;
    const ConstBytes event = left.first(header.length);
    // Until the format description says otherwise its own checksum is the only one.
    if ((format || summed) && !sum_is_right(event)) return FileHead::torn;
    if (format) summed = event[event.size() - kChecksumAlgorithmFromEnd] != std::byte{0};
    left = left.subspan(header.length);
  }
  return summed ? FileHead::whole : FileHead::unproven;
}

bool HeadWatch::has_begun(FileHead found, std::uint64_t now_ns) noexcept {
  const bool unproven_before = std::exchange(unproven_, found == FileHead::unproven);
  if (found != FileHead::torn) {
    torn_since_ns_ = 0;
    return found == FileHead::whole || (unproven_ && unproven_before);
  }
  if (torn_since_ns_ == 0) torn_since_ns_ = now_ns;
  return now_ns - torn_since_ns_ >= kTorn_ns;
}

}  // namespace binlane

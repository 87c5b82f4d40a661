#include "shim/feed/archive_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "shim/binlog/group_tracker.h"

namespace binlane {
namespace {

// The longest Rotate or Stop event looked for at a file's end: header, position, name, checksum.
constexpr std::size_t kLongestEnding = kEventHeaderSize + 8 + 512 + kEventChecksumSize;
constexpr std::size_t kScanChunk = 256 << 10;

// The file ended before what was to be read.
constexpr int kFileEnded = -1;

// Reads exactly out.size() bytes. 0, an errno, or kFileEnded.
int read_fully(const BinlogFolder& folder, FileHandle handle, std::uint64_t at, MutableBytes out) {
  while (!out.empty()) {
    const std::int64_t count = folder.read_at(handle, at, out);
    if (count == -EINTR) continue;
    if (count < 0) return static_cast<int>(-count);
    if (count == 0) return kFileEnded;
    BL_ASSERT(static_cast<std::uint64_t>(count) <= out.size());
    at += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return 0;
}

// Whether the file's last bytes are a Rotate or Stop event: then no group was cut off before it,
// and there is no need to read the whole file.
bool ends_properly(const BinlogFolder& folder, FileHandle handle, std::uint64_t size) {
  std::array<std::byte, kLongestEnding> tail;
  const std::size_t count = std::min<std::uint64_t>(size, tail.size());
  const MutableBytes read = MutableBytes(tail).first(count);
  if (read_fully(folder, handle, size - count, read) != 0) return false;
  for (std::size_t length = kEventHeaderSize; length <= count; ++length) {
    const EventHeader header = parse_event_header(read.data() + count - length);
    if (header.length == length && header.end_low == static_cast<std::uint32_t>(size) &&
        (header.type == EventType::rotate || header.type == EventType::stop)) {
      return true;
    }
  }
  return false;
}

}  // namespace

OwnedFile& OwnedFile::operator=(OwnedFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

OwnedFile::~OwnedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<std::uint64_t> whole_groups_of_file(const BinlogFolder& folder, FileHandle handle,
                                                  std::string& error) {
  const std::int64_t found = folder.size(handle);
  if (found < 0) {
    error = errno_text(static_cast<int>(-found));
    return std::nullopt;
  }
  const auto size = static_cast<std::uint64_t>(found);
  if (ends_properly(folder, handle, size)) return size;
  // A torn file: its groups have to be followed from the beginning.
  const auto tracker = std::make_unique<GroupTracker>();
  tracker->start_file(1);
  const auto chunk = std::make_unique<std::byte[]>(kScanChunk);
  for (std::uint64_t at = 0; at < size;) {
    const MutableBytes bytes{chunk.get(), std::min<std::uint64_t>(kScanChunk, size - at)};
    if (const int failed = read_fully(folder, handle, at, bytes); failed != 0) {
      error = failed == kFileEnded ? "it became shorter" : errno_text(failed);
      return std::nullopt;
    }
    // A torn tail may be broken; the groups before it count.
    if (!tracker->on_bytes(at, bytes)) break;
    at += bytes.size();
  }
  return tracker->last_group_end().offset;
}

ArchiveReader::ArchiveReader(ArchivePlace place, FeedLimit& limit)
    : place_(std::move(place)), limit_(limit), buffer_(std::make_unique<std::byte[]>(kFrontSize)) {}

bool ArchiveReader::open(std::uint32_t number) {
  number_ = number;
  offset_ = kBinlogMagicSize;
  visible_end_ = 0;
  complete_ = false;
  check_boundary_ = false;
  file_missing_ = false;
  error_.clear();
  buffer_size_ = 0;
  file_.emplace(*place_.files, number);
  const int error = file_->error();
  if (error == 0) return true;
  file_missing_ = error == ENOENT;
  return fail(fmt::format("cannot open the archived '{}': {}", place_.file_name(number),
                          errno_text(error)));
}

void ArchiveReader::seek(std::uint64_t offset) {
  BL_ASSERT(file_ && file_->error() == 0);
  offset_ = offset;
  check_boundary_ = true;
}

bool ArchiveReader::refresh_visible_end() {
  const Position limit = limit_.whole_groups();
  if (limit.file == number_) {
    visible_end_ = limit.offset;
  } else if (limit.file > number_) {
    std::string error;
    const auto end = whole_groups_of_file(*place_.files, file_->handle(), error);
    if (!end) return fail(fmt::format("I/O error reading log event: {}", error));
    visible_end_ = *end;
    complete_ = true;
  } else {
    visible_end_ = 0;
  }
  return true;
}

ArchiveReader::Step ArchiveReader::next(ArchivedEvent& event) {
  BL_ASSERT(file_ && file_->error() == 0);
  if (!error_.empty()) return Step::failed;
  if (offset_ >= visible_end_) {
    if (!complete_ && !refresh_visible_end()) return Step::failed;
    if (offset_ == visible_end_ && complete_) return Step::file_end;
    if (offset_ >= visible_end_) {
      if (!complete_) return Step::at_limit;
      fail("Client requested master to start replication from impossible position");
      return Step::failed;
    }
  }
  // No event crosses the limit, so a part of one before it is damage, or not a boundary.
  const std::uint64_t visible = visible_end_ - offset_;
  if (visible < kEventHeaderSize) {
    fail("bogus data in log event");
    return Step::failed;
  }
  if (!fill(kEventHeaderSize)) return Step::failed;
  event.header = parse_event_header(buffer_.get() + (offset_ - buffer_offset_));
  event.offset = offset_;
  const std::uint32_t length = event.header.length;
  if (length < kEventHeaderSize || length > GroupTracker::kMaxEventLength || length > visible ||
      (check_boundary_ && event.header.end_low != static_cast<std::uint32_t>(event.end()))) {
    fail("bogus data in log event");
    return Step::failed;
  }
  const std::size_t front = std::min<std::size_t>(length, kFrontSize);
  if (!fill(front)) return Step::failed;
  event.front = {buffer_.get() + (offset_ - buffer_offset_), front};
  check_boundary_ = false;
  offset_ = event.end();
  BL_ASSERT(offset_ <= visible_end_);
  return Step::event;
}

bool ArchiveReader::fill(std::size_t count) {
  BL_ASSERT(count <= kFrontSize && offset_ + count <= visible_end_);
  if (offset_ >= buffer_offset_ && offset_ + count <= buffer_offset_ + buffer_size_) return true;
  buffer_size_ = 0;
  const std::size_t wanted = std::min<std::uint64_t>(kFrontSize, visible_end_ - offset_);
  if (!read(offset_, {buffer_.get(), wanted})) return false;
  buffer_offset_ = offset_;
  buffer_size_ = wanted;
  return true;
}

bool ArchiveReader::read(std::uint64_t at, MutableBytes out) {
  BL_ASSERT(at + out.size() <= visible_end_);
  const int error = read_fully(*place_.files, file_->handle(), at, out);
  if (error == 0) return true;
  return fail(error == kFileEnded
                  ? "binlog truncated in the middle of event"
                  : fmt::format("I/O error reading log event: {}", errno_text(error)));
}

bool ArchiveReader::fail(std::string error) {
  error_ = std::move(error);
  return false;
}

}  // namespace binlane

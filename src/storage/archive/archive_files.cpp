#include "storage/archive/archive_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/stream_digest.h"

namespace binlane {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;

std::byte masked(std::byte byte, std::uint64_t file_offset) {
  return file_offset == kInUseOffset ? byte & ~kInUseBit : byte;
}

}  // namespace

ArchiveFiles::ArchiveFiles(std::string directory, ArchiveIo& io)
    : directory_(std::move(directory)), io_(io) {}

ArchiveFiles::~ArchiveFiles() {
  close_current();
}

std::string ArchiveFiles::make_directory() {
  const int error = io_.make_directory(directory_);
  return error == 0 ? std::string()
                    : fmt::format("{}: the archive's folder cannot be used: {}", directory_,
                                  errno_text(error));
}

void ArchiveFiles::close_current() noexcept {
  if (open_number_ != 0) io_.close(handle_);
  open_number_ = 0;
}

std::string ArchiveFiles::path(std::uint32_t number) const {
  BL_ASSERT(!basename_.empty());
  return directory_ + "/" + binlog_file_name(basename_, number);
}

std::optional<std::uint64_t> ArchiveFiles::size(std::uint32_t number) const {
  return io_.size(path(number));
}

std::int64_t ArchiveFiles::read(std::uint32_t number, std::uint64_t offset,
                                MutableBytes bytes) const {
  return io_.read(path(number), offset, bytes);
}

int ArchiveFiles::matching(std::uint32_t number, std::uint64_t offset, ConstBytes bytes,
                           std::size_t& same) const {
  std::vector<std::byte> found(bytes.size());
  const std::int64_t count = read(number, offset, found);
  same = 0;
  if (count < 0 && is_scarcity(static_cast<int>(-count))) return static_cast<int>(-count);
  while (static_cast<std::int64_t>(same) < count &&
         masked(found[same], offset + same) == masked(bytes[same], offset + same)) {
    ++same;
  }
  return 0;
}

int ArchiveFiles::truncate(std::uint32_t number, std::uint64_t size) const {
  const std::optional<std::uint64_t> now = this->size(number);
  if (!now || *now <= size) return 0;
  return io_.truncate(path(number), size);
}

int ArchiveFiles::open_current() {
  if (open_number_ == end_.file) return 0;
  BL_ASSERT(!end_.is_null() && !dirty_);
  const bool is_new = !size(end_.file).has_value();
  BL_ASSERT(open_number_ == 0);
  if (const int error = io_.open(path(end_.file), handle_); error != 0) return error;
  open_number_ = end_.file;
  name_unsynced_ |= is_new;
  int error = is_new ? 0 : cut_off_leftovers();
  if (error == 0 && name_unsynced_) {
    error = io_.sync_directory(directory_);
    name_unsynced_ = error != 0;
    // If the folder could not be opened for it, nothing was synced, and no sync failed.
    if (error != 0 && !is_scarcity(error)) sync_failed_ = true;
  }
  if (error != 0) close_current();
  return error;
}

// What is in the file after everything that is known to be right.
int ArchiveFiles::cut_off_leftovers() const {
  if (end_.file < kept_.file) return 0;  // end_file() truncates it
  const bool kept_here = end_.file == kept_.file;
  return truncate(end_.file, kept_here ? std::max(end_.offset, kept_.offset) : end_.offset);
}

int ArchiveFiles::write(ConstBytes bytes) {
  if (const int error = open_current(); error != 0) return error;
  std::size_t written = 0;
  const int error = io_.write(handle_, bytes, end_.offset, written);
  BL_ASSERT(written <= bytes.size() && (error != 0 || written == bytes.size()));
  if (written > 0) dirty_ = true;
  end_.offset += written;
  return error;
}

int ArchiveFiles::end_file(const FileEnd& file_end) {
  BL_ASSERT(end_ == (Position{file_end.file, file_end.final_size}));
  if (const int error = open_current(); error != 0) return error;
  // Removes what an earlier process left after the end, if it left anything.
  if (const int error = truncate(file_end.file, file_end.final_size); error != 0) return error;
  const auto in_use = std::to_integer<std::uint8_t>(kInUseBit);
  if (BL_MUTANT(in_use_flag_not_mirrored, false,
                file_end.final_size > kInUseOffset && (file_end.flags_byte & in_use) == 0)) {
    std::byte flags{};
    const std::int64_t count = read(file_end.file, kInUseOffset, {&flags, 1});
    if (count != 1) return count < 0 ? static_cast<int>(-count) : EIO;
    if ((flags & kInUseBit) != std::byte{0}) {
      flags &= ~kInUseBit;
      std::size_t written = 0;
      const int error = io_.write(handle_, {&flags, 1}, kInUseOffset, written);
      if (error != 0) return error;
    }
  }
  dirty_ = true;
  if (const int error = sync(); error != 0) return error;
  close_current();
  end_ = {file_end.file + 1, 0};
  return 0;
}

int ArchiveFiles::sync() {
  if (!dirty_) return 0;
  const int error = io_.sync(handle_);
  if (error == 0) dirty_ = false;
  if (error != 0) sync_failed_ = true;
  return error;
}

ArchiveDigest digest_archive(const std::string& directory, const std::string& basename,
                             Position end, std::uint64_t max_length) {
  ArchiveDigest result;
  result.end = end;
  if (end.is_null() || basename.empty()) return result;
  const auto path = [&](std::uint32_t number) {
    return directory + "/" + binlog_file_name(basename, number);
  };
  if (end.offset == 0) {
    struct stat status {};
    if (end.file < 2 || ::stat(path(end.file - 1).c_str(), &status) != 0) return result;
    result.end = {end.file - 1, static_cast<std::uint64_t>(status.st_size)};
  }
  const FileDescriptor file(::open(path(result.end.file).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return result;
  std::uint64_t offset = result.end.offset - std::min(max_length, result.end.offset);
  const std::uint64_t first = offset;
  std::vector<std::byte> buffer(kReadSize);
  std::uint32_t crc = 0;
  while (offset < result.end.offset) {
    const auto length = std::min<std::uint64_t>(buffer.size(), result.end.offset - offset);
    const auto part = MutableBytes(buffer).first(static_cast<std::size_t>(length));
    if (read_all(file.get(), part, offset) != static_cast<std::int64_t>(length)) return result;
    crc = digest_bytes(crc, offset, part);
    offset += length;
  }
  result.length = result.end.offset - first;
  result.digest = crc;
  return result;
}

}  // namespace binlane

#include "control/failover/sealed_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/heartbeat.h"
#include "base/mutant.h"
#include "storage/archive/archive_files.h"
#include "storage/journal/journal_cursor.h"

namespace binlane {
namespace {

constexpr std::size_t kCopySize = std::size_t{1} << 20;

Status failed(const std::string& path, int error) {
  BL_ASSERT(error != 0);
  return Status::failed(fmt::format("{}: {}", path, errno_text(error)));
}

// Appends the first `size` bytes of a file to what `out` has of that file.
Status copy_file(const std::string& from, std::uint64_t size, ArchiveIo& io, ArchiveFiles& out) {
  std::vector<std::byte> buffer(kCopySize);
  for (std::uint64_t at = 0; at < size;) {
    still_alive();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - at));
    const auto part = MutableBytes(buffer).first(wanted);
    const std::int64_t count = io.read(from, at, part);
    if (count < 0) return failed(from, static_cast<int>(-count));
    if (count != static_cast<std::int64_t>(wanted))
      return Status::failed(fmt::format("cannot read {} up to {}", from, size));
    if (const int error = out.write(part); error != 0)
      return failed(out.path(out.end().file), error);
    at += wanted;
  }
  return Status::ok();
}

// Exports what the archive holds before `from`. Complete files never change, so a hard link is as
// good as a copy.
Status export_archived(SealedFiles& files, Position from, const std::string& archive, ArchiveIo& io,
                       ArchiveFiles& out) {
  const auto archived_path = [&](std::uint32_t number) {
    return archive + "/" + binlog_file_name(files.basename, number);
  };
  files.first = from.file;
  while (files.first > 1 && io.size(archived_path(files.first - 1))) --files.first;
  for (std::uint32_t number = files.first; number < from.file; ++number) {
    if (const int error = io.link(archived_path(number), out.path(number)); error != 0)
      return failed(out.path(number), error);
  }
  out.set_end({from.file, 0}, {from.file, 0});
  return from.offset > 0 ? copy_file(archived_path(from.file), from.offset, io, out) : Status::ok();
}

Status sync_all(const SealedFiles& files, ArchiveIo& io, ArchiveFiles& out) {
  // The newest file must exist, even if it is empty.
  int error = out.write({});
  if (error == 0) error = out.sync();
  if (error != 0) return failed(out.path(files.end.file), error);
  error = io.sync_directory(files.directory);
  return error == 0 ? Status::ok() : failed(files.directory, error);
}

}  // namespace

Result<SealedFiles> export_stream(Journal& journal, const JournalMeta& meta,
                                  const std::string& archive, const std::string& directory,
                                  ArchiveIo& io) {
  BL_ASSERT(journal.idle() && !meta.stream.is_null());
  SealedFiles files{directory, meta.stream.basename, 0, journal.durable(), {}};
  int error = io.remove_directory(directory);
  if (error == 0) error = io.make_directories(directory);
  if (error != 0) return failed(directory, error);
  ArchiveFiles out(directory, io);
  if (std::string problem = out.make_directory(); !problem.empty())
    return Status::failed(std::move(problem));
  out.set_basename(files.basename);
  // What the superblock calls archived is durable in the archive's files; the rest is in the
  // journal.
  JournalCursor cursor(journal, meta.archived);
  ReleaseMark everything;
  everything.sequence = journal.last_sequence() + 1;
  std::optional<JournalSlice> slice = cursor.next(everything);
  const Position from = slice ? slice->at : files.end;
  if (Status archived = export_archived(files, from, archive, io, out); !archived.is_ok())
    return archived;
  for (; slice; slice = cursor.next(everything)) {
    still_alive();
    BL_ASSERT(slice->at == out.end());
    error = slice->file_end ? out.end_file(slice->end) : out.write(slice->bytes);
    if (error != 0) return failed(out.path(out.end().file), error);
  }
  BL_ASSERT(out.end() == files.end && files.first > 0);
  if (Status synced = sync_all(files, io, out); !synced.is_ok()) return synced;
  return files;
}

Status truncate_sealed(SealedFiles& files, Position end, ArchiveIo& io) {
  BL_ASSERT(end <= files.end && end.file >= files.first);
  end = BL_MUTANT(sealed_copy_whole, files.end, end);
  for (std::uint32_t number = files.end.file; number > end.file; --number) {
    if (const int error = io.remove(files.path(number)); error != 0)
      return failed(files.path(number), error);
  }
  const std::string last = files.path(end.file);
  if (!io.size(last)) return Status::failed(last + ": the file is missing");
  int error = io.truncate(last, end.offset);
  int handle = -1;
  if (error == 0) error = io.open(last, handle);
  if (error == 0) {
    error = io.sync(handle);
    io.close(handle);
  }
  if (error != 0) return failed(last, error);
  if (error = io.sync_directory(files.directory); error != 0) return failed(files.directory, error);
  BL_ASSERT(io.size(last) == end.offset);
  files.end = end;
  return Status::ok();
}

}  // namespace binlane

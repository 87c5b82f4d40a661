// ArchiveReader: the events of the archive's files, up to the feed's limit and never beyond. [I7]
//
// In the file that contains the limit it yields what is before the limit; an older file is
// complete, and it yields that file's whole event groups. A file that its server tore when it
// crashed ends with bytes that belong to no whole group: those are left out, and next() says
// file_end there. One thread owns an object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/position.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/feed/feed_limit.h"

namespace binlane {

// An open file descriptor.
class OwnedFile {
 public:
  explicit OwnedFile(int descriptor = -1) noexcept : descriptor_(descriptor) {}
  OwnedFile(OwnedFile&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  OwnedFile& operator=(OwnedFile&& other) noexcept;
  ~OwnedFile();
  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

struct ArchivedEvent {
  EventHeader header;
  std::uint64_t offset = 0;  // in its file
  // The whole event, or its first ArchiveReader::kFrontSize bytes; valid until the next call.
  ConstBytes front;

  std::uint64_t end() const noexcept { return offset + header.length; }
  bool whole() const noexcept { return front.size() == header.length; }
};

// Where an archive is, and how its files are reached.
struct ArchivePlace {
  std::string directory;
  std::string basename;
  std::shared_ptr<const BinlogFolder> files;

  ArchivePlace() = default;
  // The files that the system has there.
  ArchivePlace(const std::string& in, const std::string& base)
      : ArchivePlace(in, base, std::make_shared<PosixBinlogFiles>(in, base)) {}
  ArchivePlace(std::string in, std::string base, std::shared_ptr<const BinlogFolder> folder)
      : directory(std::move(in)), basename(std::move(base)), files(std::move(folder)) {}

  std::string file_name(std::uint32_t number) const { return binlog_file_name(basename, number); }
  std::string path(std::uint32_t number) const { return directory + '/' + file_name(number); }
};

class ArchiveReader {
 public:
  static constexpr std::size_t kFrontSize = 256 << 10;

  enum class Step : std::uint8_t {
    event,
    at_limit,  // nothing more is released; try again when it is
    file_end,  // all whole groups of this file were read, and no more will come
    failed,    // see error()
  };

  // `limit` must outlive the reader.
  ArchiveReader(ArchivePlace place, FeedLimit& limit);

  // Goes to the first event of a file. Returns false, with error(), if it cannot be opened.
  bool open(std::uint32_t number);
  // Goes to an offset of the open file, which must be the beginning of an event or the file's end;
  // next() checks this as well as it can.
  void seek(std::uint64_t offset);
  Step next(ArchivedEvent& event);
  // Bytes [at, at + out.size()) of the open file, which belong to an event that next() gave.
  bool read(std::uint64_t at, MutableBytes out);

  // Where the next event begins.
  Position position() const noexcept { return {number_, offset_}; }
  std::string file_name() const { return place_.file_name(number_); }
  // What went wrong, in words for a replica's log.
  const std::string& error() const noexcept { return error_; }
  bool file_missing() const noexcept { return file_missing_; }

 private:
  bool refresh_visible_end();
  // Afterwards the buffer holds at least `count` bytes from offset_ on.
  bool fill(std::size_t count);
  bool fail(std::string error);

  const ArchivePlace place_;
  FeedLimit& limit_;
  std::optional<OpenBinlog> file_;
  std::uint32_t number_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t visible_end_ = 0;
  bool complete_ = false;  // visible_end_ is the end of the file's whole groups for ever
  bool check_boundary_ = false;
  bool file_missing_ = false;
  std::string error_;

  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffer_size_ = 0;
};

// The end of the whole event groups of a finished binlog file. Nothing, with `error`, when it
// cannot be read or is no binlog.
std::optional<std::uint64_t> whole_groups_of_file(const BinlogFolder& folder, FileHandle handle,
                                                  std::string& error);

}  // namespace binlane

// Mysqld, the part that commits a large transaction as MariaDB 11.8 does
// (binlog_large_commit_threshold): the file in which the transaction was cached becomes the next
// binlog file. For a moment the next file is there and empty, then it is gone, and then it has its
// whole length and begins with zeros. The file counts once it is in the index, and the transaction
// once its last event is written.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "binlog_slice.h"
#include "mysqld.h"

namespace binlane::sim {
namespace {

// What the server leaves free at the beginning of a cache file, for the header of a binlog file.
// The transaction's first event is padded so that it ends there.
constexpr std::uint64_t kRoomForHeader = 4096;
constexpr std::uint64_t kLeastRows = 12'000;
constexpr std::uint64_t kMostRows = 30'000;

// Each of the states is visible for so long; for kLongStepNs if the thread is interrupted.
constexpr std::uint64_t kStepNs = 300 * kNanosPerMicro;
constexpr std::uint64_t kLongStepNs = 10 * kNanosPerMilli;
constexpr std::uint64_t kStepsPerLongStep = 6;
// Between the Rotate event and the next file.
constexpr std::uint64_t kIndexNs = 4 * kNanosPerMilli;

}  // namespace

void Mysqld::begin_rename() {
  BL_ASSERT(flushed_.empty());
  group_ = {};
  Rename rename;
  test::BinlogWriter& writer = rename.writer;
  const std::uint32_t number = file_ + 1;
  gtids_.begin_file(writer, 0);
  rename.commit = new_commit();
  rename.commit.begin = {number, writer.size()};
  writer.gtid_up_to(rename.commit.gtid, kRoomForHeader);
  writer.silent = true;
  writer.rows(random_.between(kLeastRows, kMostRows), static_cast<char>('A' + random_.below(26)));
  writer.silent = false;
  rename.cached_size = writer.size();
  writer.xid();
  rename.commit.end = {number, writer.size()};
  trace_.note("rename begins", number, rename.cached_size);
  end_file(false);
  rename_ = std::move(rename);
  stage_ = Stage::renaming;
  due_ns_ = clock_.time_ns + sync_time();
}

// One system call, or those between which nothing can be seen.
void Mysqld::advance_rename() {
  using Step = Rename::Step;
  Rename& rename = *rename_;
  const std::uint32_t number = rename.commit.begin.file;
  const std::vector<std::byte>& bytes = rename.writer.bytes();
  due_ns_ = clock_.time_ns + 30 * kNanosPerMicro +
            random_.below(random_.one_in(kStepsPerLongStep) ? kLongStepNs : kStepNs);
  switch (rename.step) {
    case Step::rotate:
      store_.sync(file_);
      due_ns_ = clock_.time_ns + random_.below(kIndexNs);
      rename.step = Step::create;
      break;
    case Step::create:
      unlisted_ = number;
      store_.create(number);
      rename.step = Step::remove;
      break;
    case Step::remove:
      store_.remove(number);
      rename.step = Step::rename;
      break;
    case Step::rename:
      store_.create(number);
      store_.append(number, std::vector<std::byte>(kRoomForHeader));
      store_.append(number, slice(bytes, kRoomForHeader, rename.cached_size));
      rename.step = Step::header;
      break;
    case Step::header:
      store_.overwrite(number, slice(bytes, 0, kRoomForHeader));
      rename.step = Step::list;
      break;
    case Step::list:
      endings_[number] = {rename.commit.begin.offset, 0, 0};
      store_.sync(number);
      unlisted_ = 0;
      rename.step = Step::clear;
      break;
    case Step::clear:
      store_.clear_in_use(file_);
      rename.step = Step::xid;
      break;
    case Step::xid:
      file_ = number;
      shift_ = 0;
      store_.append(number, slice(bytes, rename.cached_size, bytes.size()));
      add_commit(rename.commit, slice(bytes, rename.commit.begin.offset, bytes.size()));
      group_.end = last_group_end_ = rename.commit.end;
      writer_ = std::move(rename.writer);
      static_cast<void>(writer_.take());
      rename_.reset();
      ++counts_.renames;
      flush_group();
      break;
  }
}

}  // namespace binlane::sim

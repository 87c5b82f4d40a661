#include "memory_log.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/stream_digest.h"
#include "storage/journal/journal.h"

namespace binlane::test {
namespace {

constexpr std::byte kFileEndUnit{0xfe};
constexpr std::size_t kMaxEnds = 4096;

}  // namespace

MemoryLog::MemoryLog(std::uint32_t block_count, std::size_t capacity)
    : block_count_(block_count), capacity_(capacity) {
  BL_ASSERT(block_count > kReserved);
  units_.reserve(capacity);
  ends_.reserve(kMaxEnds);
  blocks_.reserve(capacity / 16);
}

void MemoryLog::begin_at(Position at) {
  BL_ASSERT(begin_.is_null() && !at.is_null() && units_.empty());
  begin_ = at;
}

std::uint32_t MemoryLog::free_blocks() const {
  const std::uint64_t used = used_blocks() + kReserved;
  return used >= block_count_ ? 0 : static_cast<std::uint32_t>(block_count_ - used);
}

void MemoryLog::add_block(bool record) {
  BL_ASSERT(blocks_.size() < blocks_.capacity());
  close_block();
  Block block;
  block.end_log = end_log();
  block.record = record;
  block.open = !record;
  blocks_.push_back(block);
}

void MemoryLog::close_block() {
  if (!blocks_.empty()) blocks_.back().open = false;
}

bool MemoryLog::append(Position at, ConstBytes bytes) {
  BL_ASSERT(at == end() && !bytes.empty());
  BL_ASSERT(units_.size() + bytes.size() <= capacity_);
  if (failed()) return false;
  const bool open = !blocks_.empty() && blocks_.back().open;
  const std::size_t room = open ? kBlockUnits - blocks_.back().units : 0;
  const std::size_t rest = bytes.size() > room ? bytes.size() - room : 0;
  if ((rest + kBlockUnits - 1) / kBlockUnits > free_blocks()) return false;
  while (!bytes.empty()) {
    if (blocks_.empty() || !blocks_.back().open || blocks_.back().units == kBlockUnits)
      add_block(false);
    Block& block = blocks_.back();
    const std::size_t length = std::min<std::size_t>(bytes.size(), kBlockUnits - block.units);
    units_.insert(units_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    block.units += static_cast<std::uint32_t>(length);
    block.end_log = end_log();
    bytes = bytes.subspan(length);
  }
  return true;
}

bool MemoryLog::append_file_end(const FileEnd& file_end) {
  BL_ASSERT((end() == Position{file_end.file, file_end.final_size}));
  if (failed() || free_blocks() == 0) return false;
  add_block(false);
  ends_.push_back({end_log(), file_end});
  units_.push_back(kFileEndUnit);
  blocks_.back().end_log = end_log();
  close_block();
  return true;
}

bool MemoryLog::add_record(Epoch epoch) {
  if (failed() || used_blocks() >= block_count_) return false;
  epoch_ = epoch;
  add_block(true);
  last_record_ = blocks_.size();
  return true;
}

bool MemoryLog::start_epoch(Epoch epoch) {
  BL_ASSERT(epoch > epoch_);
  return add_record(epoch);
}

bool MemoryLog::cut(std::uint64_t to, Epoch epoch) {
  BL_ASSERT(idle() && epoch >= epoch_ && to >= released_ && to <= end_log());
  if (!add_record(epoch)) return false;
  units_.resize(to);
  while (!ends_.empty() && ends_.back().log >= to) ends_.pop_back();
  blocks_.back().end_log = to;
  durable_ = std::min(durable_, to);
  return true;
}

std::optional<DiskWrite> MemoryLog::next_write() {
  if (failed() || in_flight_ == kMaxWritesInFlight || submitted_ == blocks_.size())
    return std::nullopt;
  const std::uint64_t last = std::min<std::uint64_t>(blocks_.size(), submitted_ + kMaxBatch);
  // As the journal does it.
  if (in_flight_ >= kMaxSmallWrites && last - submitted_ < kBulkBlocks) return std::nullopt;
  close_block();
  std::uint32_t id = 0;
  while (writes_[id].used) ++id;
  BL_ASSERT(id < kMaxWritesInFlight);
  const auto count = static_cast<std::uint32_t>(last - submitted_);
  writes_[id] = {true, count * kWriteUnit, submitted_ + 1, last};
  ++in_flight_;
  DiskWrite write;
  write.id = id;
  write.length = writes_[id].length;
  write.offset = submitted_ * kWriteUnit;
  write.data = units_.data();
  submitted_ = last;
  return write;
}

void MemoryLog::on_completion(const DiskCompletion& completion) {
  BL_ASSERT(completion.id < kMaxWritesInFlight && writes_[completion.id].used);
  Write& write = writes_[completion.id];
  write.used = false;
  --in_flight_;
  if (completion.result < 0 || static_cast<std::uint32_t>(completion.result) != write.length) {
    failure_ = completion.result < 0 ? -completion.result : EIO;
    return;
  }
  for (std::uint64_t i = write.first; i <= write.last; ++i) blocks_[i - 1].completed = true;
  if (failed()) return;
  while (completed_ < blocks_.size() && blocks_[completed_].completed) {
    durable_ = blocks_[completed_].record ? std::max(durable_, blocks_[completed_].end_log)
                                          : blocks_[completed_].end_log;
    ++completed_;
  }
}

void MemoryLog::release(std::uint64_t log_offset) {
  released_ = std::max(released_, std::min(log_offset, durable_));
}

void MemoryLog::on_archived(std::uint64_t sequence) {
  BL_ASSERT(sequence <= completed_);
  archived_ = std::max(archived_, sequence);
}

MemoryLog::ReleaseMark MemoryLog::release_mark() const {
  ReleaseMark mark;
  mark.sequence = archived_;
  while (mark.sequence < completed_ && blocks_[mark.sequence].end_log <= released_) ++mark.sequence;
  mark.log = released_;
  mark.position = released();
  return mark;
}

Position MemoryLog::position_of(std::uint64_t log) const {
  Position at = begin_;
  std::uint64_t from = 0;
  for (const End& end : ends_) {
    if (end.log >= log) break;
    at = {at.file + 1, 0};
    from = end.log + 1;
  }
  at.offset += log - from;
  return at;
}

const FileEnd* MemoryLog::file_end_at(std::uint64_t log) const {
  for (const End& end : ends_) {
    if (end.log == log) return &end.end;
  }
  return nullptr;
}

std::uint32_t MemoryLog::digest(std::uint64_t from, std::uint64_t to) const {
  BL_ASSERT(from <= to && to <= end_log());
  std::uint32_t crc = 0;
  for (const End& end : ends_) {
    if (end.log < from) continue;
    if (end.log >= to) break;
    const ConstBytes bytes = ConstBytes(units_).subspan(from, end.log - from);
    if (!bytes.empty()) crc = digest_bytes(crc, position_of(from).offset, bytes);
    crc = digest_file_end(crc);
    from = end.log + 1;
  }
  if (from == to) return crc;
  return digest_bytes(crc, position_of(from).offset, ConstBytes(units_).subspan(from, to - from));
}

}  // namespace binlane::test

// A real journal in memory for the targets that feed one: the smallest ring, a disk that does what
// it is asked at once or on command, and an archive that keeps nothing.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>

#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"

namespace binlane::fuzz {

class BlockMemory {
 public:
  explicit BlockMemory(std::uint32_t blocks)
      : size_(std::size_t{blocks} * kBlockSize),
        data_(static_cast<std::byte*>(std::aligned_alloc(kBlockSize, size_)), &std::free) {
    std::memset(data_.get(), 0, size_);
  }
  MutableBytes bytes() { return {data_.get(), size_}; }
  Block& block(std::size_t slot) {
    return *reinterpret_cast<Block*>(data_.get() + slot * kBlockSize);
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

class FuzzJournal {
 public:
  static constexpr std::uint32_t kBlocks = kMinJournalBlocks;

  FuzzJournal() {
    JournalStart start;
    start.journal_id = 1;
    journal_.emplace(memory_.bytes(), start);
    cursor_.emplace(*journal_, JournalConsumed{});
  }

  // At `at`, in `epoch`, with nothing in flight.
  void begin(Position at, Epoch epoch) {
    journal_->begin_at(at);
    BL_ASSERT(journal_->start_epoch(epoch));
    complete_writes();
  }
  void complete_writes() {
    while (const auto write = journal_->next_write()) {
      journal_->on_completion({write->id, static_cast<std::int32_t>(write->length)});
    }
  }
  void archive() {
    while (cursor_->next(journal_->release_mark())) {
    }
    journal_->on_archived(cursor_->consumed().sequence);
  }

  Journal& operator*() { return *journal_; }
  Journal* operator->() { return &*journal_; }

 private:
  BlockMemory memory_{kBlocks};
  std::optional<Journal> journal_;
  std::optional<JournalCursor> cursor_;
};

}  // namespace binlane::fuzz

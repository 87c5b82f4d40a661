#include "storage/journal/journal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/mutant.h"
#include "base/stream_digest.h"

namespace binlane {
namespace {

template <class T>
ConstBytes bytes_of(const T& value) noexcept {
  return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

}  // namespace

Journal::Journal(MutableBytes image, const JournalStart& start)
    : image_(image),
      table_(static_cast<std::uint32_t>(image.size() / kBlockSize), start.archived_sequence + 1,
             start.archived, start.archived_data_epoch),
      archived_sequence_(start.archived_sequence),
      journal_id_(start.journal_id),
      incarnation_(start.incarnation) {
  BL_ASSERT(image.size() % kBlockSize == 0);
  BL_ASSERT(reinterpret_cast<std::uintptr_t>(image.data()) % kBlockSize == 0);
  BL_ASSERT(block_count() >= kMinJournalBlocks);
  BL_ASSERT(start.incarnation > 0);
  BL_ASSERT(start.next_sequence > start.archived_sequence);
  BL_ASSERT(start.next_sequence - 1 - start.archived_sequence <= block_count());
  rebuild(start);
}

// Walks the live blocks that recovery accepted and builds the side tables from them.
void Journal::rebuild(const JournalStart& start) {
  for (std::uint64_t sequence = start.archived_sequence + 1; sequence < start.next_sequence;
       ++sequence) {
    const Block& found = block(sequence);
    BL_ASSERT(found.sequence == sequence && found.journal_id == journal_id_);
    const auto kind = static_cast<BlockKind>(static_cast<std::uint16_t>(found.kind));
    if (kind == BlockKind::cut) {
      const auto to = table_.log_of(found.position());
      BL_ASSERT(to.has_value());
      table_.cut(*to);
    }
    const std::uint32_t units = kind == BlockKind::data       ? std::uint32_t{found.used_length}
                                : kind == BlockKind::file_end ? 1
                                                              : 0;
    table_.add(kind, found.position(), units, found.epoch());
  }
  epoch_ = start.epoch;
  end_ = start.end;
  BL_ASSERT(table_.position_of(table_.end_log()) == end_);
  previous_crc_ = start.previous_crc;
  submitted_sequence_ = completed_sequence_ = last_record_sequence_ = table_.last();
  mark_.sequence = start.archived_sequence + 1;
  mark_.position = start.archived;
  update_durable();
  if (!start.released.is_null()) {
    const auto released = table_.log_of(start.released);
    BL_ASSERT(released.has_value());
    release(*released);
  }
}

Block& Journal::block(std::uint64_t sequence) noexcept {
  return *reinterpret_cast<Block*>(image_.data() + sequence % block_count() * kBlockSize);
}

const Block& Journal::block(std::uint64_t sequence) const noexcept {
  return *reinterpret_cast<const Block*>(image_.data() + sequence % block_count() * kBlockSize);
}

std::uint32_t Journal::free_blocks() const noexcept {
  const std::uint32_t taken = blocks_in_use() + kReservedBlocks;
  return taken < block_count() ? block_count() - taken : 0;
}

void Journal::begin_at(Position at) {
  BL_ASSERT(end_.is_null() && !at.is_null());
  table_.set_base(at);
  end_ = at;
  mark_.position = at;
}

// A data block that was not handed out yet takes more bytes, if they follow within its file.
bool Journal::last_is_open(Position at) const noexcept {
  if (table_.last() == submitted_sequence_) return false;
  const BlockTable::Entry& last = table_.entry(table_.last());
  return last.kind == BlockKind::data && last.at.file == at.file && last.epoch == epoch_ &&
         last.units < kBlockPayloadSize;
}

bool Journal::append(Position at, ConstBytes bytes) {
  BL_ASSERT(!at.is_null() && at == end_);
  if (failed()) return false;
  const bool fill = last_is_open(at);
  const std::size_t room_in_open = fill ? kBlockPayloadSize - table_.entry(table_.last()).units : 0;
  if (bytes.size() > room_in_open) {
    const std::size_t rest = bytes.size() - room_in_open;
    if ((rest + kBlockPayloadSize - 1) / kBlockPayloadSize > free_blocks()) return false;
  }
  if (fill) {
    const std::size_t count = std::min(bytes.size(), room_in_open);
    const std::size_t used = table_.entry(table_.last()).units;
    std::memcpy(block(table_.last()).payload.data() + used, bytes.data(), count);
    table_.grow_last(static_cast<std::uint32_t>(count));
    end_.offset += count;
    bytes = bytes.subspan(count);
  }
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kBlockPayloadSize);
    Block& opened = open_block(BlockKind::data, end_, static_cast<std::uint32_t>(count));
    std::memcpy(opened.payload.data(), bytes.data(), count);
    end_.offset += count;
    bytes = bytes.subspan(count);
  }
  return true;
}

bool Journal::append_file_end(const FileEnd& file_end) {
  BL_ASSERT(!end_.is_null() && (Position{file_end.file, file_end.final_size} == end_));
  BL_ASSERT(file_end.last_group_end <= file_end.final_size);
  if (failed() || free_blocks() == 0) return false;
  FileEndPayload payload;
  payload.final_size = file_end.final_size;
  payload.last_group_end = file_end.last_group_end;
  payload.file = file_end.file;
  payload.flags_byte = file_end.flags_byte;
  Block& opened = open_block(BlockKind::file_end, end_, 1);
  std::memcpy(opened.payload.data(), &payload, sizeof payload);
  opened.used_length = sizeof payload;
  end_ = {file_end.file + 1, 0};
  durable_log_ = BL_MUTANT(file_end_before_durable,
                           durable_log_ + 1 == end_log() ? end_log() : durable_log_, durable_log_);
  return true;
}

bool Journal::start_epoch(Epoch epoch) {
  BL_ASSERT(!end_.is_null() && epoch > epoch_);
  EpochPayload payload;
  payload.old_term = epoch_.term;
  payload.old_incarnation = epoch_.incarnation;
  if (failed() || blocks_in_use() == block_count()) return false;
  epoch_ = epoch;
  append_record(BlockKind::epoch, end_, bytes_of(payload));
  return true;
}

bool Journal::cut(std::uint64_t to, Epoch epoch) {
  BL_ASSERT(idle());
  BL_ASSERT(to >= released_log_ && to <= end_log());
  BL_ASSERT(!end_.is_null() && epoch >= epoch_);
  if (failed() || blocks_in_use() == block_count()) return false;
  CutPayload payload;
  payload.old_end_offset = end_.offset;
  payload.old_end_file = end_.file;
  table_.cut(to);
  end_ = table_.position_of(to);
  epoch_ = epoch;
  durable_log_ = to;  // the only place where it goes back
  append_record(BlockKind::cut, end_, bytes_of(payload));
  last_cut_sequence_ = table_.last();
  update_durable();
  return true;
}

void Journal::append_record(BlockKind kind, Position at, ConstBytes payload) {
  Block& opened = open_block(kind, at, 0);
  std::memcpy(opened.payload.data(), payload.data(), payload.size());
  opened.used_length = static_cast<std::uint32_t>(payload.size());
  last_record_sequence_ = table_.last();
}

// Takes the next slot and fills in what is known now; finish() adds the rest when the block is
// handed out.
Block& Journal::open_block(BlockKind kind, Position at, std::uint32_t units) {
  // The slot's last lap was archived: free_blocks() is computed from the same number.
  BL_ASSERT(blocks_in_use() < block_count());
  table_.add(kind, at, units, epoch_);
  Block& opened = block(table_.last());
  opened.magic = kBlockMagic;
  opened.version = kBlockVersion;
  opened.kind = static_cast<std::uint16_t>(kind);
  opened.journal_id = journal_id_;
  opened.sequence = table_.last();
  opened.epoch_term = epoch_.term;
  opened.epoch_incarnation = epoch_.incarnation;
  opened.file_offset = at.offset;
  opened.file_number = at.file;
  opened.incarnation = incarnation_;
  opened.key_id = 0;
  return opened;
}

std::optional<DiskWrite> Journal::next_write() {
  if (failed() || writes_in_flight_ == kMaxWritesInFlight) return std::nullopt;
  const std::uint64_t first = submitted_sequence_ + 1;
  const std::uint64_t slot = first % block_count();
  const std::uint64_t count = std::min(
      {table_.last() - submitted_sequence_, std::uint64_t{kMaxBatchBlocks}, block_count() - slot});
  if (count == 0 || (count < kBulkBlocks && writes_in_flight_ >= kMaxSmallWrites))
    return std::nullopt;
  const Position at_release = released();
  for (std::uint64_t i = 0; i < count; ++i) {
    finish(first + i, static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(count), at_release);
  }
  submitted_sequence_ += count;
  Batch& batch = in_flight_[writes_in_flight_++];
  batch = {next_write_id_++, static_cast<std::uint32_t>(count * kBlockSize), submitted_sequence_,
           false};
  return DiskWrite{batch.id, batch.length, slot * kBlockSize, image_.data() + slot * kBlockSize};
}

void Journal::finish(std::uint64_t sequence, std::uint16_t batch_index, std::uint16_t batch_count,
                     Position released) {
  Block& sealed = block(sequence);
  const BlockTable::Entry& entry = table_.entry(sequence);
  BL_ASSERT(sealed.sequence == sequence);
  if (entry.kind == BlockKind::data) sealed.used_length = entry.units;
  sealed.completed_sequence = completed_sequence_;
  sealed.batch_index = batch_index;
  sealed.batch_count = batch_count;
  sealed.released_offset = released.offset;
  sealed.released_file = released.file;
  sealed.previous_crc = previous_crc_;
  previous_crc_ = finish_block(sealed);
}

void Journal::on_completion(const DiskCompletion& completion) {
  const auto end = in_flight_.begin() + static_cast<std::ptrdiff_t>(writes_in_flight_);
  const auto batch = std::find_if(in_flight_.begin(), end, [&](const Batch& candidate) {
    return candidate.id == completion.id && !candidate.completed;
  });
  BL_ASSERT(batch != end);
  batch->completed = true;
  const bool refused = BL_MUTANT(ack_after_eio, false, completion.result < 0);
  const bool cut_short = BL_MUTANT(
      short_write_ignored, false,
      completion.result >= 0 && completion.result != static_cast<std::int64_t>(batch->length));
  if ((refused || cut_short) && failure_ == 0) failure_ = refused ? -completion.result : EIO;
  // Batches leave in the order in which they were handed out, so completed_sequence_ is prefix-
  // closed. After a failure they still leave, but nothing becomes durable any more.
  completed_sequence_ = BL_MUTANT(
      durable_hole, failed() ? completed_sequence_ : batch->last_sequence, completed_sequence_);
  while (writes_in_flight_ > 0 && in_flight_[0].completed) {
    if (!failed()) completed_sequence_ = in_flight_[0].last_sequence;
    std::move(in_flight_.begin() + 1, in_flight_.end(), in_flight_.begin());
    --writes_in_flight_;
  }
  update_durable();
}

// The only place where durable_log() is computed: the end of the contiguous completed prefix.
void Journal::update_durable() {
  const std::uint64_t durable = table_.log_behind(completed_sequence_);
  BL_ASSERT(durable >= durable_log_ && durable <= end_log());
  durable_log_ = durable;
  advance_release_mark();
}

void Journal::release(std::uint64_t log_offset) {
  const std::uint64_t target = std::min(log_offset, durable_log_);
  if (target <= released_log_) return;
  released_log_ = target;
  advance_release_mark();
}

// Moves the mark over every durable block that has nothing un-released. This includes records, and
// blocks that were cut away, so that their slots become free without new data. The mark does not
// move while a cut is not durable: otherwise the archive's superblock would carry the cut out
// before its record.
void Journal::advance_release_mark() {
  if (completed_sequence_ < last_cut_sequence_) return;
  const std::uint64_t until = BL_MUTANT(archive_beyond_released, durable_log_, released_log_);
  std::uint64_t sequence = mark_.sequence;
  while (sequence <= completed_sequence_ && table_.entry(sequence).log_end() <= until) {
    ++sequence;
  }
  std::uint32_t units = 0;
  if (sequence <= completed_sequence_ && table_.entry(sequence).log_begin < until) {
    units = static_cast<std::uint32_t>(until - table_.entry(sequence).log_begin);
  }
  if (sequence == mark_.sequence && units == mark_.units) return;
  mark_ = {sequence,
           units,
           released(),
           completed_sequence_,
           {table_.entry(completed_sequence_).epoch, durable()}};
}

void Journal::on_archived(std::uint64_t sequence) {
  BL_ASSERT(sequence >= archived_sequence_ && sequence < mark_.sequence);
  archived_sequence_ = sequence;
}

std::uint32_t Journal::digest(std::uint64_t from, std::uint64_t to,
                              std::uint32_t crc) const noexcept {
  BL_ASSERT(retained_log() <= from && from <= to && to <= end_log());
  if (from == to) return crc;
  for (std::uint64_t sequence = table_.block_holding(from);
       sequence <= table_.last() && table_.entry(sequence).log_begin < to; ++sequence) {
    const BlockTable::Entry& entry = table_.entry(sequence);
    if (entry.units == 0) continue;
    if (entry.kind == BlockKind::file_end) {
      crc = digest_file_end(crc);
      continue;
    }
    const std::size_t begin = from > entry.log_begin ? from - entry.log_begin : 0;
    const std::size_t end = std::min<std::uint64_t>(entry.units, to - entry.log_begin);
    crc = digest_bytes(crc, entry.at.offset + begin,
                       ConstBytes(block(sequence).payload).subspan(begin, end - begin));
  }
  return crc;
}

}  // namespace binlane

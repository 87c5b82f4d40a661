#include "storage/journal/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/mutant.h"
#include "storage/journal/block.h"
#include "storage/journal/block_table.h"

namespace binlane {
namespace {

bool is_filled_with(ConstBytes bytes, std::byte value) {
  return bytes[0] == value && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

BlockKind kind_of(const Block& block) {
  return static_cast<BlockKind>(static_cast<std::uint16_t>(block.kind));
}

std::uint32_t units_of(const Block& block) {
  switch (kind_of(block)) {
    case BlockKind::data:
      return block.used_length;
    case BlockKind::file_end:
      return 1;
    case BlockKind::cut:
    case BlockKind::epoch:
    case BlockKind::rule:
      return 0;
  }
  return 0;
}

class Recovery {
 public:
  Recovery(ConstBytes image, const JournalMeta& meta)
      : image_(image),
        meta_(meta),
        end_(meta.archived.position),
        base_(meta.archived.position),
        epoch_(meta.archived.epoch),
        crc_(meta.archived.crc),
        incarnation_(meta.archived.incarnation),
        last_(meta.archived.sequence),
        known_durable_(meta.durable_sequence),
        table_(meta.block_count, meta.archived.sequence + 1, meta.archived.position,
               meta.archived.data_epoch) {
    result_.counts.assign(recovery_table().size(), 0);
  }

  RecoveredJournal run() {
    follow_chain();
    weigh_survivors();
    weigh_head();
    if (result_.refusal.empty()) judge_break();
    if (result_.refusal.empty()) judge_debris();
    if (result_.refusal.empty()) fill_start();
    return std::move(result_);
  }

 private:
  std::uint64_t last_slot_sequence() const { return meta_.archived.sequence + meta_.block_count; }

  const Block& block(std::uint64_t sequence) const {
    const std::uint64_t slot = sequence % meta_.block_count;
    return *reinterpret_cast<const Block*>(image_.data() + slot * kBlockSize);
  }

  // All facts about `found`, in the place where `sequence` is expected, after the log as it is so
  // far.
  std::uint16_t facts_of(const Block& found, std::uint64_t sequence) const {
    unsigned facts = 0;
    const auto add = [&facts](bool holds, BlockFact fact) {
      if (holds) facts |= fact;
    };
    add(is_filled_with(found.bytes(), std::byte{0}), kFactZero);
    add(block_validates(found), kFactValid);
    add(found.version == kBlockVersion, kFactOurVersion);
    add(found.journal_id == meta_.journal_id(), kFactOurJournal);
    add(block_is_well_formed(found), kFactWellFormed);
    add(found.sequence % meta_.block_count == sequence % meta_.block_count, kFactRightSlot);
    const bool expected = BL_MUTANT(old_lap_accepted, true, found.sequence == sequence);
    add(expected, kFactExpected);
    add(found.sequence < sequence && !expected, kFactOlder);
    add(found.incarnation > meta_.incarnation, kFactFuture);
    add(BL_MUTANT(stale_opening_accepted, false, found.incarnation < incarnation_), kFactStale);
    add(BL_MUTANT(unlinked_block_accepted, true, found.previous_crc == crc_), kFactLinked);
    add(continues(found), kFactContinues);
    return static_cast<std::uint16_t>(facts);
  }

  // The row of a slot after the log, by what is known to have been durable so far.
  const RecoveryRow& row_of(std::uint64_t sequence) const {
    const std::uint64_t first = last_ + 1;
    unsigned facts = slot_facts_[sequence - first];
    if (sequence != first) facts |= kFactBehindBreak;
    if (sequence <= known_durable_) facts |= kFactKnownDurable;
    return classify_block(static_cast<std::uint16_t>(facts));
  }

  // Whether the block can follow the log as it is so far. Meant for blocks that are ours otherwise.
  bool continues(const Block& found) const {
    if (found.epoch() < epoch_) return false;
    if (end_.is_null()) return !found.position().is_null();
    if (kind_of(found) == BlockKind::cut) return table_.log_of(found.position()).has_value();
    return found.position() == end_;
  }

  void count(const RecoveryRow& row) {
    ++result_.counts[static_cast<std::size_t>(&row - recovery_table().data())];
  }

  void refuse(const RecoveryRow& row, std::uint64_t sequence) {
    if (!result_.refusal.empty()) return;
    result_.refusal = fmt::format("block {} (where {} is expected): {}: {}",
                                  sequence % meta_.block_count, sequence, row.name, row.meaning);
  }

  // Takes the blocks that follow each other, up to the first that does not.
  void follow_chain() {
    while (last_ < last_slot_sequence()) {
      const RecoveryRow& row = classify_block(facts_of(block(last_ + 1), last_ + 1));
      if (row.effect != BlockEffect::extends) break;
      count(row);
      take(block(last_ + 1));
    }
  }

  void take(const Block& found) {
    if (end_.is_null()) {
      base_ = end_ = found.position();
      table_.set_base(base_);
    }
    if (kind_of(found) == BlockKind::cut) table_.cut(*table_.log_of(found.position()));
    table_.add(kind_of(found), found.position(), units_of(found), found.epoch());
    end_ = table_.position_of(table_.end_log());
    epoch_ = found.epoch();
    crc_ = found.integrity.crc;
    incarnation_ = found.incarnation;
    known_durable_ = std::max<std::uint64_t>(known_durable_, found.completed_sequence);
    released_ = std::max(released_, found.released());
    ++last_;
  }

  // Examines every slot after the first broken one. The broken one itself waits for judge_break(),
  // because only after this is it complete what is known to have been durable.
  void weigh_survivors() {
    for (std::uint64_t sequence = last_ + 1; sequence <= last_slot_sequence(); ++sequence) {
      slot_facts_.push_back(facts_of(block(sequence), sequence));
    }
    for (std::uint64_t sequence = last_ + 2; sequence <= last_slot_sequence(); ++sequence) {
      const RecoveryRow& row = row_of(sequence);
      if (row.effect == BlockEffect::refuses) refuse(row, sequence);
      if (row.effect != BlockEffect::counts) continue;
      const Block& survivor = block(sequence);
      known_durable_ = std::max<std::uint64_t>(known_durable_, survivor.completed_sequence);
      survivors_released_ = std::max(survivors_released_, survivor.released());
      survivors_epoch_ = std::max(survivors_epoch_, survivor.epoch());
    }
  }

  // What the broken block itself tells. A torn write mixes sectors of two writes. It does not leave
  // a block that is right except for one bit, nor one that cannot be read. Such a block was written
  // as a whole and has rotted since, so it may have been ACKed, and with it every block that
  // follows from it. This may be wrong for a block that was not ACKed; then only bytes are fetched
  // that the source is going to send anyway.
  void weigh_head() {
    const std::uint64_t first = last_ + 1;
    if (first > last_slot_sequence() || first <= known_durable_) return;
    // Never written, or a whole block of an older lap.
    if (is_filled_with(block(first).bytes(), std::byte{0}) || block_validates(block(first))) return;
    const bool unreadable = is_filled_with(block(first).bytes(), kUnreadableFill);
    const std::optional<Block> whole = unreadable ? std::nullopt : block_one_bit_away(block(first));
    const bool rotten =
        whole && classify_block(facts_of(*whole, first)).effect == BlockEffect::extends;
    if (!unreadable && !rotten) return;
    known_durable_ = first;
    // No byte of it is used, but it may tell where it ended.
    if (rotten) {
      rotten_until_ = position_behind(kind_of(*whole), whole->position(), units_of(*whole));
      survivors_epoch_ = std::max(survivors_epoch_, whole->epoch());
    }
  }

  // A crash leaves what was in flight, and no more. A ring full of anything else is not a torn
  // journal, and must not be overwritten.
  void judge_debris() {
    std::uint32_t debris = 0;
    for (std::size_t i = 0; i < recovery_table().size(); ++i) {
      const std::string_view name = recovery_table()[i].name;
      if (name == "torn head" || name == "debris") debris += result_.counts[i];
    }
    if (debris <= kMaxDebrisBlocks) return;
    result_.refusal = fmt::format(
        "{} of {} blocks are neither blocks of a journal nor zeros: the file is not a journal, or "
        "was overwritten",
        debris, meta_.block_count);
  }

  void judge_break() {
    const std::uint64_t first = last_ + 1;
    known_durable_ = BL_MUTANT(truncate_at_first_bad_crc, last_, known_durable_);
    for (std::uint64_t sequence = first; sequence <= last_slot_sequence(); ++sequence) {
      const RecoveryRow& row = row_of(sequence);
      count(row);
      if (row.effect == BlockEffect::refuses) return refuse(row, sequence);
      if (sequence != first) continue;
      result_.ended_by = row.name;
      BL_ASSERT(row.effect == BlockEffect::ends || row.effect == BlockEffect::damages);
      BL_ASSERT((row.effect == BlockEffect::damages) == (first <= known_durable_));
      if (row.effect == BlockEffect::damages) {
        result_.damage = JournalDamage{first, end_, known_durable_, damaged_until(), row.name};
      }
    }
    if (known_durable_ > last_slot_sequence()) {
      result_.refusal = fmt::format(
          "block {} is known to have been durable, but the ring ends at block {}: the superblock "
          "does not belong to this ring",
          known_durable_, last_slot_sequence());
    }
  }

  // The position after the last unit that may have been ACKed. Every good block after the break
  // tells how far the log had reached. This includes blocks that nothing proves to have been
  // durable, because the last batch before a crash may have been ACKed without any such proof.
  // Blocks in flight and cuts among the lost blocks can only make the result too large, never too
  // small.
  LogMark damaged_until() const {
    Epoch epoch = std::max(epoch_, survivors_epoch_);
    if (meta_.durable_sequence > last_) epoch = std::max(epoch, meta_.durable.epoch);
    Position until = damaged_until_position();
    // Nothing tells how long the lost block was: it had at least one unit, of at least the first
    // file.
    if (until == end_ && epoch == epoch_) ++until.offset;
    if (until.is_null()) until.file = 1;
    return {epoch, until};
  }

  Position damaged_until_position() const {
    Position until =
        std::max({end_, meta_.released, released_, survivors_released_, rotten_until_});
    if (meta_.durable_sequence > last_) until = std::max(until, meta_.durable.position);
    for (std::uint64_t sequence = last_ + 2; sequence <= last_slot_sequence(); ++sequence) {
      if (row_of(sequence).effect != BlockEffect::counts) continue;
      const Block& survivor = block(sequence);
      until = std::max(until,
                       position_behind(kind_of(survivor), survivor.position(), units_of(survivor)));
    }
    return until;
  }

  void fill_start() {
    JournalStart& start = result_.start;
    start.journal_id = meta_.journal_id();
    start.incarnation = meta_.incarnation + 1;
    start.next_sequence = last_ + 1;
    start.previous_crc = crc_;
    start.archived_sequence = meta_.archived.sequence;
    start.archived = base_;
    start.archived_data_epoch = meta_.archived.data_epoch;
    start.epoch = epoch_;
    start.end = end_;
    // The superblock's mark describes the log as it was with durable_sequence. A log that ends
    // before that, by damage, may lack a cut: then the mark could mean bytes that were cut away.
    if (last_ >= meta_.durable_sequence) released_ = std::max(released_, meta_.released);
    if (!end_.is_null()) start.released = std::max(released_, base_);
    if (!start.released.is_null() && !table_.log_of(start.released)) {
      result_.refusal =
          fmt::format("the released position {} is not in the log", to_string(start.released));
      return;
    }
    if (!meta_.damaged_until.is_reached_by(epoch_, end_)) start.damaged_until = meta_.damaged_until;
    if (BL_MUTANT(damage_forgotten, false, result_.damage.has_value())) {
      const LogMark& until = result_.damage->until;
      start.damaged_until = {std::max(start.damaged_until.epoch, until.epoch),
                             std::max(start.damaged_until.position, until.position)};
    }
  }

  ConstBytes image_;
  const JournalMeta& meta_;
  // The log so far.
  Position end_;
  Position base_;
  Position released_;
  Position survivors_released_;
  Position rotten_until_;
  Epoch survivors_epoch_;
  Epoch epoch_;
  std::uint32_t crc_;
  std::uint32_t incarnation_;
  std::uint64_t last_;
  std::uint64_t known_durable_;
  BlockTable table_;
  std::vector<std::uint16_t> slot_facts_;  // of the slots after the log, in order
  RecoveredJournal result_;
};

}  // namespace

RecoveredJournal recover_journal(ConstBytes image, const JournalMeta& meta) {
  BL_ASSERT(image.size() == std::size_t{meta.block_count} * kBlockSize);
  return Recovery(image, meta).run();
}

JournalMeta superblock_after(JournalMeta meta, const JournalStart& start) {
  meta.incarnation = start.incarnation;
  meta.durable_sequence = start.next_sequence - 1;
  meta.durable = {start.epoch, start.end};
  meta.released = start.released;
  meta.damaged_until = start.damaged_until;
  return meta;
}

}  // namespace binlane

// A journal against a model, by seed: random appends, file ends, epochs, cuts, releases and
// archiving; completions in any order; crashes at which each write in flight reaches the medium
// fully, not at all, or in any subset of its sectors; and bit rot. After each recovery the log has
// to be a prefix of what was appended, not shorter than what was ACKed, unless damage is reported.
//
// A failure names its seed: BINLANE_SEED=<seed> runs that one alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "base/stream_digest.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/recovery.h"
#include "support/journal_memory.h"

namespace binlane::journal_model_test {

constexpr std::uint32_t kBlocks = 72;
constexpr std::uint16_t kFileEndUnit = 256;

// The stream as it should be: one number a unit, from the journal's very beginning.
struct ModelLog {
  std::vector<std::uint16_t> units;

  Position position_of(std::size_t index) const {
    Position at{1, 0};
    for (std::size_t i = 0; i < index; ++i) {
      at = units[i] == kFileEndUnit ? Position{at.file + 1, 0} : Position{at.file, at.offset + 1};
    }
    return at;
  }
  std::uint32_t digest(std::size_t from, std::size_t to) const {
    Position at = position_of(from);
    std::uint32_t crc = 0;
    for (std::size_t i = from; i < to; ++i) {
      if (units[i] == kFileEndUnit) {
        crc = digest_file_end(crc);
        at = {at.file + 1, 0};
      } else {
        const auto byte = static_cast<std::byte>(units[i]);
        crc = digest_bytes(crc, at.offset++, ConstBytes(&byte, 1));
      }
    }
    return crc;
  }
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    meta_.journal.bytes.fill(0x5a);
    meta_.block_count = kBlocks;
    open();
    if (testing::Test::HasFatalFailure()) return;
    start_epoch();
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
  }

  std::uint64_t recoveries = 0;
  std::uint64_t torn = 0;
  std::uint64_t damages = 0;
  std::uint64_t cuts = 0;
  std::size_t most_in_flight = 0;
  std::uint64_t laps() const { return meta_.archived.sequence / kBlocks; }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  ModelLog& log() { return logs_[journal_->epoch()]; }

  void step() {
    const unsigned dice = static_cast<unsigned>(random_() % 100);
    if (dice < 1)
      append_bulk();
    else if (dice < 40)
      append(1 + below(chance(20) ? 12'000 : 300));
    else if (dice < 43)
      append_file_end();
    else if (dice < 60)
      submit();
    else if (dice < 80)
      complete();
    else if (dice < 88)
      release();
    else if (dice < 94)
      archive();
    else if (dice < 96)
      cut();
    else if (dice < 97)
      start_epoch();
    else if (dice < 99)
      crash();
    else
      crash_and_rot();
    check_marks();
  }

  void append(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
    if (!journal_->append(journal_->end(), bytes)) return;
    for (const std::byte byte : bytes) log().units.push_back(static_cast<std::uint16_t>(byte));
  }

  // As a backlog comes: more than fits the writes that may be small.
  void append_bulk() {
    for (int i = 0; i < 3; ++i) {
      append(kBulkBlocks * kBlockPayloadSize);
      submit();
    }
  }

  void append_file_end() {
    const Position end = journal_->end();
    if (end.offset == 0) return;
    if (journal_->append_file_end({end.file, end.offset, end.offset, 0})) {
      log().units.push_back(kFileEndUnit);
    }
  }

  void submit() {
    const auto write = journal_->next_write();
    if (write) in_flight_.push_back(*write);
    most_in_flight = std::max(most_in_flight, in_flight_.size());
  }

  void complete() {
    if (in_flight_.empty()) return;
    const std::size_t index = below(in_flight_.size());
    const DiskWrite write = in_flight_[index];
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
    std::memcpy(medium_.image().data() + write.offset, write.data, write.length);
    journal_->on_completion({write.id, static_cast<std::int32_t>(write.length)});
    if (journal_->records_durable()) {
      acked_ = std::max(acked_, base_ + journal_->durable_log());
      acked_before_cut_.reset();
    }
  }

  void release() {
    journal_->release(below(journal_->end_log() + 10));
    released_ = std::max(released_, base_ + journal_->released_log());
  }

  void archive() {
    while (const auto chunk = cursor_->next(journal_->release_mark())) {
      for (const std::byte byte : chunk->bytes) {
        ASSERT_LT(archived_units_, log().units.size());
        ASSERT_EQ(log().units[archived_units_], static_cast<std::uint16_t>(byte));
        ++archived_units_;
      }
      if (chunk->file_end) {
        ASSERT_EQ(log().units[archived_units_++], kFileEndUnit);
      }
    }
    if (cursor_->consumed().sequence == meta_.archived.sequence) return;
    meta_.archived = cursor_->consumed();
    if (chance(50)) {
      meta_.durable_sequence = journal_->release_mark().durable_sequence;
      meta_.durable = journal_->release_mark().durable;
      meta_.released = journal_->release_mark().position;
    }
    if (chance(90)) journal_->on_archived(cursor_->consumed().sequence);
  }

  void cut() {
    while (!journal_->idle()) {
      submit();
      complete();
    }
    const std::uint64_t to =
        journal_->released_log() + below(journal_->end_log() - journal_->released_log() + 1);
    ModelLog shortened = log();
    shortened.units.resize(base_ + to);
    const Epoch epoch{1, journal_->epoch().incarnation + 1};
    if (!journal_->cut(to, epoch)) return;
    logs_[epoch] = std::move(shortened);
    // Until the record is durable the ACKs of the old epoch hold; from then on those of the new
    // one.
    acked_before_cut_ = {epoch, acked_};
    acked_ = std::min(acked_, base_ + to);
    ++cuts;
  }

  void start_epoch() {
    const Epoch epoch{1, journal_->epoch().incarnation + 1};
    const ModelLog same = logs_[journal_->epoch()];
    if (journal_->start_epoch(epoch)) logs_[epoch] = same;
  }

  void crash() {
    for (const DiskWrite& write : in_flight_) {
      const unsigned fate = static_cast<unsigned>(below(3));
      for (std::size_t at = 0; at < write.length; at += kSectorSize) {
        if (fate == 0 || (fate == 1 && chance(50))) continue;
        std::memcpy(medium_.image().data() + write.offset + at, write.data + at, kSectorSize);
      }
    }
    in_flight_.clear();
    open();
  }

  // One bit of one block that was durable flips while the process is down.
  void crash_and_rot() {
    const std::uint64_t durable = journal_->durable_sequence();
    const std::uint64_t archived = meta_.archived.sequence;
    if (durable <= archived) return crash();
    rotten_ = archived + 1 + below(durable - archived);
    // In the header's sector: rot elsewhere could be healed by a torn rewrite of the block, whose
    // sectors of zero padding are those of the old one. (block_test goes through every bit.)
    const std::size_t bit = below(kSectorSize * 8);
    crash_medium_bit_ = {rotten_ % kBlocks * kBlockSize + bit / 8,
                         std::byte{1} << static_cast<int>(bit % 8)};
    // Whatever was durable may have been ACKed, the very last block included.
    known_ = {journal_->table().entry(durable).epoch,
              journal_->position_of(journal_->table().log_behind(durable))};
    const Block& block = medium_.block(rotten_ % kBlocks);
    const bool is_cut = block.kind == static_cast<std::uint16_t>(BlockKind::cut);
    rotten_at_ = is_cut ? Position{} : block.position();
    crash();
  }

  void open() {
    if (rotten_ != 0) {
      medium_.image()[crash_medium_bit_.first] ^= crash_medium_bit_.second;
    }
    const RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    ASSERT_EQ(recovered.refusal, "");
    ++recoveries;
    if (recovered.ended_by == "torn head") ++torn;
    const bool rotten = rotten_ != 0;
    if (rotten) {
      ASSERT_TRUE(recovered.damage.has_value());
      ASSERT_LE(recovered.damage->first_sequence, rotten_);
    }
    // Damage is reported again as long as what was lost has not come back.
    if (!rotten && meta_.damaged_until.is_null()) {
      ASSERT_FALSE(recovered.damage.has_value());
    }
    if (acked_before_cut_ && recovered.start.epoch < acked_before_cut_->first) {
      acked_ =
          acked_before_cut_->second;  // the cut's record was lost, so the cut did not take effect
    }
    acked_before_cut_.reset();

    std::memcpy(memory_.image().data(), medium_.image().data(), memory_.image().size());
    const std::uint64_t old_acked = acked_;
    base_ = archived_base();
    journal_.emplace(memory_.image(), recovered.start);
    cursor_.emplace(*journal_, meta_.archived);
    const std::uint64_t end = base_ + journal_->end_log();
    ModelLog& found = logs_[recovered.start.epoch];
    if (!holds(found, end)) {
      // A torn write can complete what an earlier torn write left in the same block. That brings
      // back un-ACKed bytes which the last recovery had given up: true once, and not wrong now.
      const auto ghost = std::find_if(ghosts_.begin(), ghosts_.end(),
                                      [&](const ModelLog& log) { return holds(log, end); });
      ASSERT_NE(ghost, ghosts_.end()) << "the log holds what was never appended";
      found = *ghost;
    }
    if (!recovered.start.end.is_null()) {
      ASSERT_EQ(found.position_of(end), journal_->end());
    }
    if (!recovered.damage && !rotten) {
      ASSERT_GE(end, old_acked) << "an ACKed unit is missing";
      ASSERT_EQ(recovered.start.damaged_until.is_null(),
                meta_.damaged_until.is_reached_by(journal_->epoch(), journal_->end()));
    }
    if (recovered.damage) {
      ++damages;
      ASSERT_EQ(recovered.damage->before, journal_->end());
      const LogMark& until = recovered.start.damaged_until;
      if (rotten) {
        ASSERT_GE(until.epoch, known_.epoch);
        ASSERT_GE(until.position, known_.position);
      }
    }
    if (rotten && !rotten_at_.is_null()) {
      ASSERT_LE(journal_->end(), rotten_at_) << "the log goes on over a rotten block";
    }
    if (ghosts_.size() == 4) ghosts_.erase(ghosts_.begin());
    ghosts_.push_back(found);
    found.units.resize(end);  // the source sends the rest again, or something else
    acked_ = end;
    rotten_ = 0;
    meta_.damaged_until = recovered.start.damaged_until;
    meta_.incarnation = recovered.start.incarnation;
    meta_.durable_sequence = recovered.start.next_sequence - 1;
    meta_.durable = {recovered.start.epoch, recovered.start.end};
    meta_.released = recovered.start.released;
    // The archive goes back to what the superblock says, and fills up again.
    archived_units_ = base_;
    // New, or damaged from its very first block.
    if (journal_->end().is_null()) journal_->begin_at({1, 0});
  }

  bool holds(const ModelLog& log, std::uint64_t end) const {
    return end <= log.units.size() &&
           journal_->digest(0, journal_->end_log()) == log.digest(base_, end);
  }

  // The absolute index of the journal's log offset 0 after a restart.
  std::uint64_t archived_base() const {
    if (!journal_) return 0;
    return base_ + journal_->table().log_behind(meta_.archived.sequence);
  }

  void check_marks() {
    if (testing::Test::HasFailure()) return;
    ASSERT_LE(journal_->released_log(), journal_->durable_log());
    ASSERT_LE(journal_->durable_log(), journal_->end_log());
    ASSERT_EQ(base_ + journal_->end_log(), log().units.size());
    ASSERT_LE(journal_->free_blocks(), kBlocks - kReservedBlocks);
  }

  std::mt19937_64 random_;
  JournalMemory medium_{kBlocks};
  JournalMemory memory_{kBlocks};
  JournalMeta meta_;
  std::optional<Journal> journal_;
  std::optional<JournalCursor> cursor_;
  std::map<Epoch, ModelLog> logs_;
  std::vector<ModelLog> ghosts_;
  std::vector<DiskWrite> in_flight_;
  // Absolute unit indexes.
  std::uint64_t base_ = 0;
  std::uint64_t acked_ = 0;
  // While a cut is not durable: its epoch, and what was ACKed before it.
  std::optional<std::pair<Epoch, std::uint64_t>> acked_before_cut_;
  std::uint64_t released_ = 0;
  std::uint64_t archived_units_ = 0;
  // The block that rots in the present crash; 0 if none does.
  std::uint64_t rotten_ = 0;
  Position rotten_at_;
  LogMark known_;  // what was durable after it
  std::pair<std::size_t, std::byte> crash_medium_bit_;
};

TEST(JournalModel, RecoversAPrefixThatHoldsEveryAck) {
  constexpr int kSeeds = 150;
  constexpr int kSteps = 600;
  std::uint64_t first = 1;
  std::uint64_t last = kSeeds;
  if (const char* const only = std::getenv("BINLANE_SEED")) {
    first = last = std::strtoull(only, nullptr, 10);
  }
  std::uint64_t recoveries = 0;
  std::uint64_t torn = 0;
  std::uint64_t damages = 0;
  std::uint64_t cuts = 0;
  std::uint64_t laps = 0;
  std::uint64_t full_in_flight = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("BINLANE_SEED=" + std::to_string(seed));
    Model model(seed);
    model.run(kSteps);
    if (HasFailure()) return;
    recoveries += model.recoveries;
    torn += model.torn;
    damages += model.damages;
    cuts += model.cuts;
    laps += model.laps();
    full_in_flight += model.most_in_flight == kMaxWritesInFlight ? 1 : 0;
  }
  if (first == last) return;
  // The test has to reach what it is about.
  EXPECT_GT(recoveries, 500u);
  EXPECT_GT(torn, 50u);
  EXPECT_GT(damages, 50u);
  EXPECT_GT(cuts, 100u);
  EXPECT_GT(laps, 100u);
  EXPECT_GT(full_in_flight, 10u) << "seeds";
}

}  // namespace binlane::journal_model_test

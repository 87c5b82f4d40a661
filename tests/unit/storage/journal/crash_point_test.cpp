// Every crash point of a workload of 200 operations: appends, file ends, epochs, cuts, archiving
// and stores of the superblock. The power goes at every boundary, with everything that may have
// reached the platter by then: each write in flight in any mixture of its 512-byte sectors, both
// together, and the superblock's slot as well. All mixtures when they are few, else prefixes,
// suffixes, whole blocks and seeded samples.
//
// After each crash recovery has to find everything that was ACKed, as a beginning of what was
// appended; finding it again, or after a crash in recovery's own write, has to give the same; and
// what is ACKed after that has to survive the next crash.
//
// BINLANE_SEED=<seed> runs one workload; BINLANE_STRIDE=<n> looks at every n-th boundary only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/stream_digest.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/journal_meta.h"
#include "storage/journal/recovery.h"
#include "storage/record_slots.h"
#include "support/journal_memory.h"

namespace binlane {
namespace {

constexpr int kOperations = 200;
constexpr std::uint32_t kRingBlocks = 32;
// Up to so many sectors in flight all mixtures are tried.
constexpr std::size_t kEnumeratedSectors = 8;
constexpr int kSamples = 24;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The log as a list of units with the digests of all its beginnings, from the very first byte.
struct Truth {
  static constexpr std::uint16_t kFileEnd = 256;
  std::vector<std::uint16_t> units;
  std::vector<Position> ends{{1, 0}};  // the position after each beginning

  void add_byte(std::byte byte) {
    units.push_back(static_cast<std::uint16_t>(byte));
    ends.push_back({ends.back().file, ends.back().offset + 1});
  }
  void add_file_end() {
    units.push_back(kFileEnd);
    ends.push_back({ends.back().file + 1, 0});
  }
  void cut(std::size_t length) {
    units.resize(length);
    ends.resize(length + 1);
  }
  std::uint32_t digest(std::size_t from, std::size_t to) const {
    std::uint32_t crc = 0;
    std::vector<std::byte> run;
    Position at = ends[from];
    const auto flush = [&] {
      crc = digest_bytes(crc, at.offset, run);
      run.clear();
    };
    for (std::size_t i = from; i < to; ++i) {
      if (units[i] != kFileEnd) {
        run.push_back(static_cast<std::byte>(units[i]));
        continue;
      }
      flush();
      crc = digest_file_end(crc);
      at = ends[i + 1];
    }
    flush();
    return crc;
  }
};

// A write that was submitted and did not complete yet.
struct Pending {
  std::uint32_t id = 0;
  std::size_t offset = 0;
  std::vector<std::byte> bytes;

  std::size_t sectors() const { return bytes.size() / kSectorSize; }
};

class Workload {
 public:
  // Tries every `stride`-th boundary.
  Workload(std::uint64_t seed, std::size_t stride)
      : random_(seed), stride_(stride), record_(kRecordSize) {
    meta_.journal.bytes.fill(0x5a);
    meta_.block_count = kRingBlocks;
    put_record(make_record_slot(0, {}), 0);
    store(meta_);
    complete_store();
    const RecoveredJournal recovered = recover_journal(platter_.image(), meta_);
    store(superblock_after(meta_, recovered.start));
    complete_store();
    journal_.emplace(memory_.image(), recovered.start);
    cursor_.emplace(*journal_, meta_.archived);
    journal_->begin_at({1, 0});
    new_epoch();
  }

  void run() {
    for (int operation = 0; operation < kOperations; ++operation) {
      SCOPED_TRACE("operation " + std::to_string(operation));
      operate();
      if (testing::Test::HasFatalFailure()) return;
    }
    settle();
  }

  // What the test must have met, for its own good.
  std::map<std::string, std::uint64_t> met;
  std::uint64_t boundaries = 0;
  std::uint64_t crashes = 0;

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  Truth& truth() { return truths_[journal_->epoch()]; }

  // Every operation ends in a boundary: the moment before its effect continues.
  void operate() {
    const std::size_t dice = below(100);
    if (dice < 30) {
      append(1 + below(below(4) == 0 ? 9'000 : 200));
    } else if (dice < 36) {
      append_file_end();
    } else if (dice < 56) {
      submit();
    } else if (dice < 72) {
      complete();
    } else if (dice < 78) {
      release_and_archive();
    } else if (dice < 86) {
      store_superblock();
    } else if (dice < 92) {
      complete_store();
    } else if (dice < 95) {
      cut();
    } else {
      new_epoch();
    }
    boundary();
  }

  void settle() {
    while (!journal_->idle()) {
      submit();
      boundary();
      complete();
      boundary();
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  void append(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
    if (!journal_->append(journal_->end(), bytes)) return;
    ++met["append"];
    for (const std::byte byte : bytes) truth().add_byte(byte);
  }
  void append_file_end() {
    const Position end = journal_->end();
    if (end.offset == 0) return;
    if (!journal_->append_file_end({end.file, end.offset, end.offset, 0})) return;
    ++met["file end"];
    truth().add_file_end();
  }
  void submit() {
    const auto write = journal_->next_write();
    if (!write) return;
    ++met["write"];
    in_flight_.push_back({write->id, write->offset, {write->data, write->data + write->length}});
  }
  void complete() {
    if (in_flight_.empty()) return;
    const std::size_t index = below(in_flight_.size());
    const Pending done = std::move(in_flight_[index]);
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
    if (index > 0) ++met["completion out of order"];
    std::copy(done.bytes.begin(), done.bytes.end(),
              platter_.image().begin() + static_cast<std::ptrdiff_t>(done.offset));
    journal_->on_completion({done.id, static_cast<std::int32_t>(done.bytes.size())});
    acknowledge();
  }
  void acknowledge() {
    if (!journal_->records_durable()) return;
    acked_ = {journal_->epoch(), journal_->durable_log()};
  }
  void release_and_archive() {
    journal_->release(below(journal_->durable_log() + 1));
    while (const auto chunk = cursor_->next(journal_->release_mark())) {
    }
    if (cursor_->consumed().sequence > meta_.archived.sequence) ++met["archive"];
  }
  // As the archive thread does: the superblock, and when it is durable the blocks are freed.
  void store_superblock() {
    if (storing_) return;
    JournalMeta meta = meta_;
    meta.archived = cursor_->consumed();
    if (meta.archived.sequence == 0) return;
    meta.durable_sequence = journal_->release_mark().durable_sequence;
    meta.durable = journal_->release_mark().durable;
    meta.released = journal_->release_mark().position;
    ++met["superblock"];
    store(meta);
  }
  void store(const JournalMeta& meta) {
    const std::uint64_t sequence = ++record_sequence_;
    storing_ = {sequence, meta, make_record_slot(sequence, encode_journal_meta(meta))};
  }
  void complete_store() {
    if (!storing_) return;
    put_record(storing_->slot, record_slot_offset(storing_->sequence));
    meta_ = storing_->meta;
    if (journal_) journal_->on_archived(meta_.archived.sequence);
    storing_.reset();
  }
  void put_record(ConstBytes slot, std::size_t offset) {
    std::copy(slot.begin(), slot.end(), record_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void cut() {
    while (!journal_->idle()) {
      submit();
      boundary();
      complete();
      boundary();
      if (testing::Test::HasFatalFailure()) return;
    }
    const std::uint64_t to =
        journal_->released_log() + below(journal_->end_log() - journal_->released_log() + 1);
    const Epoch epoch{1, journal_->epoch().incarnation + 1};
    Truth shortened = truth();
    shortened.cut(to);
    if (!journal_->cut(to, epoch)) return;
    ++met["cut"];
    begun_[epoch] = to;
    truths_[epoch] = std::move(shortened);
  }
  void new_epoch() {
    const Epoch epoch{1, journal_->epoch().incarnation + 1};
    const Truth same = truth();
    if (!journal_->start_epoch(epoch)) return;
    ++met["epoch"];
    begun_[epoch] = same.units.size();
    truths_[epoch] = same;
  }

  // What of one write may have reached the platter: every mixture of its sectors when they are few,
  // else every prefix and suffix, and samples by sectors and by blocks.
  std::vector<std::vector<bool>> mixtures_of(std::size_t sectors) {
    std::vector<std::vector<bool>> all;
    if (sectors <= kEnumeratedSectors) {
      for (std::uint64_t bits = 0; bits < std::uint64_t{1} << sectors; ++bits) {
        std::vector<bool> mixture(sectors);
        for (std::size_t i = 0; i < sectors; ++i) mixture[i] = (bits >> i & 1) != 0;
        all.push_back(std::move(mixture));
      }
      return all;
    }
    for (std::size_t length = 0; length <= sectors; ++length) {
      std::vector<bool> prefix(sectors);
      std::fill_n(prefix.begin(), length, true);
      std::vector<bool> suffix = prefix;
      suffix.flip();
      all.push_back(std::move(prefix));
      if (length > 0) all.push_back(std::move(suffix));
    }
    constexpr std::size_t kSectorsOfBlock = kBlockSize / kSectorSize;
    for (int i = 0; i < kSamples; ++i) {
      std::vector<bool> sectors_of(sectors);
      std::vector<bool> blocks_of(sectors);
      for (std::size_t at = 0; at < sectors; ++at) {
        sectors_of[at] = below(2) == 0;
        blocks_of[at] = at % kSectorsOfBlock == 0 ? below(2) == 0 : blocks_of[at - 1];
      }
      all.push_back(std::move(sectors_of));
      all.push_back(std::move(blocks_of));
    }
    return all;
  }
  static void put(MutableBytes platter, std::size_t offset, ConstBytes bytes,
                  const std::vector<bool>& mixture) {
    for (std::size_t i = 0; i < mixture.size(); ++i) {
      if (!mixture[i]) continue;
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(i * kSectorSize), kSectorSize,
                  platter.begin() + static_cast<std::ptrdiff_t>(offset + i * kSectorSize));
    }
  }

  // The power goes now, in all the ways in which it may.
  void boundary() {
    if (testing::Test::HasFatalFailure()) return;
    if (boundaries++ % stride_ != 0) return;
    SCOPED_TRACE("boundary " + std::to_string(boundaries - 1));
    // Each write in flight by itself, with the other one missing, whole, and torn at random.
    crash({}, {});
    for (std::size_t i = 0; i < in_flight_.size(); ++i) {
      for (const auto& mixture : mixtures_of(in_flight_[i].sectors())) {
        std::vector<std::vector<bool>> mixtures(in_flight_.size());
        mixtures[i] = mixture;
        if (in_flight_.size() == 1) {
          crash(mixtures, {});
          continue;
        }
        const std::size_t other = 1 - i;
        const std::size_t sectors = in_flight_[other].sectors();
        for (int fate = 0; fate < 3; ++fate) {
          mixtures[other].assign(sectors, fate == 1);
          if (fate == 2) {
            for (std::size_t at = 0; at < sectors; ++at) mixtures[other][at] = below(2) == 0;
          }
          crash(mixtures, {});
        }
      }
    }
    if (!storing_) return;
    for (const auto& mixture : mixtures_of(kRecordSlotSize / kSectorSize)) {
      std::vector<std::vector<bool>> mixtures;
      for (const Pending& write : in_flight_) {
        std::vector<bool> any(write.sectors());
        for (std::size_t at = 0; at < any.size(); ++at) any[at] = below(2) == 0;
        mixtures.push_back(std::move(any));
      }
      crash(mixtures, mixture);
    }
  }

  struct Found {
    JournalMeta meta;
    std::uint64_t record_sequence = 0;
    RecoveredJournal journal;
  };
  // The superblock and the ring as an opening reads them.
  static std::optional<Found> recover(ConstBytes platter, ConstBytes record) {
    std::string error;
    const auto contents = read_record(record, error);
    if (!contents || !contents->payload) return std::nullopt;
    const auto meta = decode_journal_meta(*contents->payload, error);
    if (!meta) return std::nullopt;
    return Found{*meta, contents->sequence, recover_journal(platter, *meta)};
  }

  void crash(const std::vector<std::vector<bool>>& mixtures, const std::vector<bool>& slot) {
    if (testing::Test::HasFatalFailure()) return;
    ++crashes;
    std::memcpy(crashed_.image().data(), platter_.image().data(), platter_.image().size());
    for (std::size_t i = 0; i < mixtures.size(); ++i) {
      put(crashed_.image(), in_flight_[i].offset, in_flight_[i].bytes, mixtures[i]);
    }
    std::vector<std::byte> record = record_;
    if (storing_) put(record, record_slot_offset(storing_->sequence), storing_->slot, slot);
    const std::optional<Found> found = recover(crashed_.image(), record);
    ASSERT_TRUE(found.has_value()) << "a torn store lost the superblock";
    const RecoveredJournal& recovered = found->journal;
    ASSERT_EQ(recovered.refusal, "");
    ASSERT_FALSE(recovered.damage.has_value()) << "nothing rotted: " << recovered.damage->row;
    ASSERT_TRUE(recovered.start.damaged_until.is_null());
    ++met["ended by " + std::string(recovered.ended_by)];
    check(*found);
    if (testing::Test::HasFatalFailure()) return;
    if (crashes % 16 == 0) crash_in_recovery(*found, record);
    if (crashes % 16 == 1) go_on_and_crash(*found);
  }

  // Everything that was ACKed is found, and nothing that was not appended.
  void check(const Found& found) {
    const JournalStart& start = found.journal.start;
    const std::uint64_t base = base_of(found.meta.archived);
    std::memcpy(opened_.image().data(), crashed_.image().data(), crashed_.image().size());
    const Journal journal(opened_.image(), start);
    if (journal.end().is_null()) {
      ASSERT_EQ(acked_.second, 0u);
      return;
    }
    const auto truth = truths_.find(start.epoch);
    ASSERT_NE(truth, truths_.end()) << "an epoch that never was";
    const std::uint64_t end = base + journal.end_log();
    ASSERT_LE(end, truth->second.units.size());
    ASSERT_EQ(truth->second.ends[end], journal.end());
    ASSERT_EQ(journal.digest(0, journal.end_log()), true_digest(start.epoch, base, end));
    // A cut's record that did not reach the platter never took effect: the old epoch's log holds.
    ASSERT_GE(start.epoch, acked_.first);
    if (start.epoch == acked_.first) {
      ASSERT_GE(end, acked_.second) << "an ACKed unit is missing";
    } else {
      ASSERT_GE(end, std::min<std::uint64_t>(acked_.second, cut_floor(acked_.first, start.epoch)));
    }
    ASSERT_GE(journal.end(), found.meta.archived.position);
  }

  std::uint32_t true_digest(Epoch epoch, std::uint64_t from, std::uint64_t to) {
    const auto [found, is_new] = digests_.try_emplace({epoch, from, to});
    if (is_new) found->second = truths_.at(epoch).digest(from, to);
    return found->second;
  }

  // A log of a later epoch may be shorter than what was ACKed before, by the cuts in between only.
  std::uint64_t cut_floor(Epoch from, Epoch to) const {
    std::uint64_t floor = UINT64_MAX;
    for (auto at = truths_.upper_bound(from); at != truths_.end() && at->first <= to; ++at) {
      floor = std::min<std::uint64_t>(floor, begun_.at(at->first));
    }
    return floor;
  }

  // The archive's mark in units from the very beginning.
  std::uint64_t base_of(const JournalConsumed& archived) const {
    if (archived.sequence == 0) return 0;
    const auto& ends = truths_.rbegin()->second.ends;
    const auto found = std::lower_bound(ends.begin(), ends.end(), archived.position);
    EXPECT_TRUE(found != ends.end() && *found == archived.position);
    return static_cast<std::uint64_t>(found - ends.begin());
  }

  static void expect_same(const RecoveredJournal& one, const RecoveredJournal& other) {
    ASSERT_EQ(other.refusal, "");
    ASSERT_EQ(one.start.next_sequence, other.start.next_sequence);
    ASSERT_EQ(one.start.previous_crc, other.start.previous_crc);
    ASSERT_EQ(one.start.end, other.start.end);
    ASSERT_EQ(one.start.epoch, other.start.epoch);
    ASSERT_EQ(one.start.archived, other.start.archived);
    ASSERT_EQ(one.start.damaged_until, other.start.damaged_until);
    ASSERT_GE(other.start.released, one.start.released);
  }

  // Recovery writes one thing, the superblock. The power fails in the middle of that, after each of
  // its sectors, and again in the recovery after it.
  void crash_in_recovery(const Found& found, const std::vector<std::byte>& record) {
    const JournalMeta opened = superblock_after(found.meta, found.journal.start);
    const std::uint64_t sequence = found.record_sequence + 1;
    const std::vector<std::byte> slot = make_record_slot(sequence, encode_journal_meta(opened));
    for (std::size_t length = 0; length <= kRecordSlotSize / kSectorSize; ++length) {
      const std::vector<bool> mixture(length, true);
      std::vector<std::byte> torn = record;
      put(torn, record_slot_offset(sequence), slot, mixture);
      const std::optional<Found> again = recover(crashed_.image(), torn);
      ASSERT_TRUE(again.has_value());
      expect_same(found.journal, again->journal);
      if (testing::Test::HasFatalFailure()) return;
      const bool whole = again->record_sequence == sequence;
      ASSERT_EQ(again->journal.start.incarnation,
                found.journal.start.incarnation + (whole ? 1 : 0));
      ++met[whole ? "recovered after recovery" : "recovered after a torn recovery"];
    }
  }

  // The next opening appends, is ACKed, and has a write in flight that tears: what it ACKed holds,
  // whatever the first crash left in the ring.
  void go_on_and_crash(const Found& found) {
    JournalMeta meta = superblock_after(found.meta, found.journal.start);
    std::memcpy(opened_.image().data(), crashed_.image().data(), crashed_.image().size());
    Journal journal(opened_.image(), found.journal.start);
    if (journal.end().is_null()) journal.begin_at({1, 0});
    const std::vector<std::byte> bytes(100 + below(5'000), static_cast<std::byte>(random_()));
    if (!journal.append(journal.end(), bytes)) return;  // full
    while (const auto write = journal.next_write()) {
      std::copy_n(write->data, write->length,
                  crashed_.image().begin() + static_cast<std::ptrdiff_t>(write->offset));
      journal.on_completion({write->id, static_cast<std::int32_t>(write->length)});
    }
    const std::uint64_t acked = journal.durable_log();
    const std::uint32_t digest = journal.digest(0, acked);
    std::optional<DiskWrite> torn;
    if (journal.append(journal.end(), bytes)) torn = journal.next_write();
    if (torn) {
      const std::size_t sectors = torn->length / kSectorSize;
      std::vector<bool> mixture(sectors);
      for (std::size_t i = 0; i < sectors; ++i) mixture[i] = below(2) == 0;
      put(crashed_.image(), torn->offset, {torn->data, torn->length}, mixture);
    }
    const RecoveredJournal again = recover_journal(crashed_.image(), meta);
    ASSERT_EQ(again.refusal, "");
    ASSERT_FALSE(again.damage.has_value());
    const Journal reopened(crashed_.image(), again.start);
    ASSERT_GE(reopened.end_log(), acked);
    ASSERT_EQ(reopened.digest(0, acked), digest);
    ++met["crashed a second time"];
  }

  struct Store {
    std::uint64_t sequence = 0;
    JournalMeta meta;
    std::vector<std::byte> slot;
  };

  std::mt19937_64 random_;
  std::size_t stride_;
  JournalMemory memory_{kRingBlocks};   // the process's image
  JournalMemory platter_{kRingBlocks};  // what completed writes left
  JournalMemory crashed_{kRingBlocks};
  JournalMemory opened_{kRingBlocks};
  std::vector<std::byte> record_;
  std::uint64_t record_sequence_ = 0;
  std::optional<Store> storing_;
  JournalMeta meta_;
  std::optional<Journal> journal_;
  std::optional<JournalCursor> cursor_;
  std::map<Epoch, Truth> truths_;
  std::map<Epoch, std::uint64_t> begun_;  // how long the log was when an epoch began
  std::vector<Pending> in_flight_;
  std::pair<Epoch, std::uint64_t> acked_;
  std::map<std::tuple<Epoch, std::uint64_t, std::uint64_t>, std::uint32_t> digests_;
};

TEST(CrashPoints, EveryOneOfAWorkloadIsRecoveredFrom) {
  constexpr std::uint64_t kSeeds = 2;
  std::uint64_t first = number_from("BINLANE_SEED", 1);
  std::uint64_t last = std::getenv("BINLANE_SEED") != nullptr ? first : kSeeds;
  std::map<std::string, std::uint64_t> met;
  std::uint64_t boundaries = 0;
  std::uint64_t crashes = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("BINLANE_SEED=" + std::to_string(seed));
    Workload workload(seed, number_from("BINLANE_STRIDE", 1));
    workload.run();
    if (HasFatalFailure()) return;
    boundaries += workload.boundaries;
    crashes += workload.crashes;
    for (const auto& [what, count] : workload.met) met[what] += count;
  }
  std::printf("%llu boundaries, %llu crashes\n", static_cast<unsigned long long>(boundaries),
              static_cast<unsigned long long>(crashes));
  for (const auto& [what, count] : met) {
    std::printf("  %llu %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  // The test has to reach what it is about.
  for (const char* const what :
       {"append", "file end", "write", "completion out of order", "archive", "superblock", "cut",
        "epoch", "ended by clean end", "ended by torn head", "ended by stale lap head",
        "recovered after recovery", "recovered after a torn recovery", "crashed a second time"}) {
    EXPECT_GT(met[what], 0u) << what;
  }
}

}  // namespace
}  // namespace binlane

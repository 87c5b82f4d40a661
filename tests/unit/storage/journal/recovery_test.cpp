#include "storage/journal/recovery.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <string>

#include "storage/journal/journal.h"
#include "storage/journal/recovery_table.h"
#include "support/journal_memory.h"

namespace binlane {
namespace {

TEST(RecoveryTable, EveryCombinationOfFactsMatchesExactlyOneRow) {
  std::set<std::string_view> met;
  for (unsigned facts = 0; facts < 1u << kBlockFactCount; ++facts) {
    int matches = 0;
    for (const RecoveryRow& row : recovery_table()) {
      if ((facts & row.mask) == row.value) ++matches;
    }
    ASSERT_EQ(matches, 1) << "facts " << facts;
    met.insert(classify_block(static_cast<std::uint16_t>(facts)).name);
  }
  EXPECT_EQ(met.size(), recovery_table().size()) << "two rows share a name, or one never matches";
}

// What was known to be durable never just ends the log or is ignored, whatever else is true of it.
TEST(RecoveryTable, NothingDurableIsDroppedSilently) {
  for (unsigned facts = 0; facts < 1u << kBlockFactCount; ++facts) {
    if ((facts & kFactKnownDurable) == 0) continue;
    const BlockEffect effect = classify_block(static_cast<std::uint16_t>(facts)).effect;
    EXPECT_NE(effect, BlockEffect::ends) << facts;
    EXPECT_NE(effect, BlockEffect::ignored) << facts;
  }
}

// Only what is right in every respect becomes part of the log.
TEST(RecoveryTable, OneCombinationOnlyExtendsTheLog) {
  constexpr unsigned kNeeded = kFactValid | kFactOurVersion | kFactOurJournal | kFactWellFormed |
                               kFactRightSlot | kFactExpected | kFactLinked | kFactContinues;
  constexpr unsigned kForbidden = kFactZero | kFactFuture | kFactStale | kFactBehindBreak;
  for (unsigned facts = 0; facts < 1u << kBlockFactCount; ++facts) {
    const bool right = (facts & kNeeded) == kNeeded && (facts & kForbidden) == 0;
    EXPECT_EQ(classify_block(static_cast<std::uint16_t>(facts)).effect == BlockEffect::extends,
              right)
        << facts;
  }
}

// A journal on a medium that the tests change while the journal does not know.
class RecoveryTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kBlocks = 64;

  RecoveryTest() : medium_(kBlocks) {
    meta_.journal.bytes.fill(0x42);
    meta_.block_count = kBlocks;
    open();
    journal_->begin_at({1, 0});
  }

  // Recovers from the medium and opens the journal again, as a restart does.
  RecoveredJournal open() {
    RecoveredJournal recovered = recover_journal(medium_.image(), meta_);
    if (!recovered.refusal.empty()) return recovered;
    meta_.incarnation = recovered.start.incarnation;
    std::memcpy(memory_.image().data(), medium_.image().data(), memory_.image().size());
    journal_.emplace(memory_.image(), recovered.start);
    return recovered;
  }

  // One append, one write; true when it reached the medium.
  void write(const std::string& text, bool reaches_medium = true, bool completes = true) {
    ASSERT_TRUE(journal_->append(journal_->end(), test_bytes(text)));
    write_open(reaches_medium, completes);
  }
  void write_open(bool reaches_medium = true, bool completes = true) {
    const auto batch = journal_->next_write();
    ASSERT_TRUE(batch.has_value());
    if (reaches_medium) {
      std::memcpy(medium_.image().data() + batch->offset, batch->data, batch->length);
    }
    if (completes) journal_->on_completion({batch->id, static_cast<std::int32_t>(batch->length)});
  }
  Block& block(std::uint64_t sequence) { return medium_.block(sequence % kBlocks); }
  // Bits of a block that had been written.
  void corrupt(std::uint64_t sequence) {
    block(sequence).payload[7] ^= std::byte{1};
    block(sequence).payload[9] ^= std::byte{1};
  }
  // The header's sector reached the medium; another one still holds its old content.
  void tear(std::uint64_t sequence) {
    std::fill_n(block(sequence).payload.end() - kSectorSize, kSectorSize, std::byte{0x77});
  }
  std::uint32_t count(const RecoveredJournal& recovered, std::string_view name) {
    for (std::size_t i = 0; i < recovery_table().size(); ++i) {
      if (recovery_table()[i].name == name) return recovered.counts[i];
    }
    ADD_FAILURE() << "no row " << name;
    return 0;
  }
  void refinish(std::uint64_t sequence, const std::function<void(Block&)>& change) {
    change(block(sequence));
    block(sequence).integrity.crc = block_crc(block(sequence));
  }

  JournalMemory medium_{kBlocks};
  JournalMemory memory_{kBlocks};
  JournalMeta meta_;
  std::optional<Journal> journal_;
};

TEST_F(RecoveryTest, AnEmptyRingIsANewJournal) {
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.refusal, "");
  EXPECT_TRUE(recovered.start.end.is_null());
  EXPECT_EQ(recovered.start.next_sequence, 1u);
  EXPECT_EQ(recovered.ended_by, "clean end");
}

TEST_F(RecoveryTest, FindsEverythingThatWasWritten) {
  ASSERT_TRUE(journal_->start_epoch({3, 4}));
  write("first");
  write("second");
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 11}));
  EXPECT_EQ(recovered.start.epoch, (Epoch{3, 4}));
  EXPECT_EQ(recovered.start.archived, (Position{1, 0}));
  EXPECT_EQ(recovered.ended_by, "clean end");
  EXPECT_FALSE(recovered.damage.has_value());
  EXPECT_EQ(count(recovered, "follows"), 3u);
  EXPECT_EQ(journal_->durable_log(), 11u);
  write("and goes on");
  EXPECT_EQ(open().start.end, (Position{1, 22}));
}

TEST_F(RecoveryTest, KeepsReleasedFromTheHeaders) {
  write("first");
  journal_->release(3);
  write("second");
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.released, (Position{1, 3}));
  EXPECT_EQ(journal_->released_log(), 3u);
}

TEST_F(RecoveryTest, EndsAtATornHead) {
  write("first");
  write("torn", true, false);
  tear(2);
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 5}));
  EXPECT_EQ(recovered.ended_by, "torn head");
  EXPECT_FALSE(recovered.damage.has_value());
}

// Two writes in flight, the second one arrived, the first one tore: nothing of either was ACKed.
TEST_F(RecoveryTest, DoesNotTakeASurvivorBehindATornHeadForDamage) {
  write("first");
  write("torn", true, false);
  write("overtook", true, false);
  tear(2);
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 5}));
  EXPECT_EQ(recovered.ended_by, "torn head");
  EXPECT_FALSE(recovered.damage.has_value());
  EXPECT_EQ(count(recovered, "survivor"), 1u);
}

TEST_F(RecoveryTest, ReportsDamageOfWhatWasDurable) {
  write("first");
  write("second");
  write("third");
  write("fourth");
  corrupt(2);
  const RecoveredJournal recovered = open();
  ASSERT_TRUE(recovered.damage.has_value());
  EXPECT_EQ(recovered.damage->first_sequence, 2u);
  EXPECT_EQ(recovered.damage->before, (Position{1, 5}));
  EXPECT_EQ(recovered.damage->durable_sequence, 3u);  // as block 4 says
  // Block 4 may have been ACKed as well, though nothing says so.
  EXPECT_EQ(recovered.damage->until.position, (Position{1, 22}));
  EXPECT_EQ(recovered.damage->row, "corrupt");
  EXPECT_EQ(recovered.start.end, (Position{1, 5}));
  EXPECT_EQ(recovered.start.damaged_until.position, (Position{1, 22}));
}

// Nothing after the last batch tells that it was ACKed. That the block is one bit off tells that it
// had been written as a whole.
TEST_F(RecoveryTest, AHeadThatIsOneBitOffIsDamage) {
  write("first");
  write("second");
  block(2).payload[3] ^= std::byte{0x10};
  const RecoveredJournal recovered = open();
  ASSERT_TRUE(recovered.damage.has_value());
  EXPECT_EQ(recovered.damage->first_sequence, 2u);
  EXPECT_EQ(recovered.damage->row, "corrupt");
  EXPECT_EQ(recovered.start.end, (Position{1, 5}));
  EXPECT_EQ(recovered.start.damaged_until.position, (Position{1, 11}));
}

// One bit off from a block of the lap before is not a head that was lost.
TEST_F(RecoveryTest, AnOldBlockThatIsOneBitOffIsNoDamage) {
  JournalCursor cursor(*journal_, {});
  for (std::uint32_t i = 0; i < kBlocks + 3; ++i) {
    write("text");
    journal_->release(journal_->durable_log());
    while (cursor.next(journal_->release_mark())) {
    }
    journal_->on_archived(cursor.consumed().sequence);
    meta_.archived = cursor.consumed();
  }
  block(kBlocks + 4).payload[3] ^= std::byte{0x10};
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.ended_by, "torn head");
  EXPECT_FALSE(recovered.damage.has_value());
}

TEST_F(RecoveryTest, AHeadThatCannotBeReadIsDamage) {
  write("first");
  std::fill_n(reinterpret_cast<std::byte*>(&block(2)), kBlockSize, kUnreadableFill);
  RecoveredJournal recovered = open();
  ASSERT_TRUE(recovered.damage.has_value());
  EXPECT_EQ(recovered.start.damaged_until.position, (Position{1, 6}));
  std::fill_n(reinterpret_cast<std::byte*>(&block(1)), kBlockSize, kUnreadableFill);
  recovered = open();
  ASSERT_TRUE(recovered.damage.has_value());
  EXPECT_FALSE(recovered.start.damaged_until.is_null());
}

TEST_F(RecoveryTest, ReportsDamageThatOnlyTheSuperblockKnowsOf) {
  write("first");
  write("second");
  meta_.durable_sequence = 2;
  meta_.durable = {{}, {1, 11}};
  corrupt(2);
  const RecoveredJournal recovered = open();
  ASSERT_TRUE(recovered.damage.has_value());
  EXPECT_EQ(recovered.damage->until.position, (Position{1, 11}));
}

TEST_F(RecoveryTest, ReportsErasedAndLostWrites) {
  write("first");
  write("second");
  write("third");
  block(2) = Block();
  EXPECT_EQ(open().damage->row, "erased");
}

TEST_F(RecoveryTest, RemembersDamageUntilTheLogIsThereAgain) {
  write("first");
  write("second");
  write("third");
  write("fourth");
  corrupt(2);
  meta_.damaged_until = open().start.damaged_until;
  ASSERT_EQ(meta_.damaged_until.position, (Position{1, 22}));
  write("second");
  RecoveredJournal recovered = open();
  EXPECT_FALSE(recovered.damage.has_value()) << "what the old opening left behind means nothing";
  EXPECT_EQ(recovered.start.end, (Position{1, 11}));
  EXPECT_EQ(recovered.start.damaged_until.position, (Position{1, 22}));
  write("third");
  write("fourth");
  recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 22}));
  EXPECT_TRUE(recovered.start.damaged_until.is_null());
}

// The second crash's trap: block 3 of the first opening must not follow block 2 of the second.
TEST_F(RecoveryTest, OldBlocksDoNotFollowARewrittenOne) {
  write("first");
  write("torn", true, false);
  write("overtook", true, false);
  tear(2);
  ASSERT_EQ(open().ended_by, "torn head");
  write("another");  // takes sequence 2
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 12}));
  EXPECT_EQ(recovered.ended_by, "stale opening head");
  EXPECT_FALSE(recovered.damage.has_value());
}

TEST_F(RecoveryTest, AnUnlinkedBlockEndsTheLogOrIsDamage) {
  write("first");
  write("second");
  refinish(2, [](Block& block) { block.previous_crc = 1; });
  EXPECT_EQ(open().ended_by, "unlinked head");
  meta_.durable_sequence = 2;
  EXPECT_EQ(open().damage->row, "unlinked");
}

TEST_F(RecoveryTest, IgnoresEarlierLaps) {
  JournalCursor cursor(*journal_, {});
  for (std::uint32_t i = 0; i < kBlocks * 2 + 10; ++i) {
    write("text");
    journal_->release(journal_->durable_log());
    while (cursor.next(journal_->release_mark())) {
    }
    journal_->on_archived(cursor.consumed().sequence);
    meta_.archived = cursor.consumed();
  }
  write("live");
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 4 * (kBlocks * 2 + 11)}));
  EXPECT_EQ(recovered.ended_by, "stale lap head");
  EXPECT_EQ(count(recovered, "stale lap"), kBlocks - 2);
  EXPECT_EQ(journal_->end_log(), 4u);
  // The live block is lost as if its write had never happened: the last lap shows.
  meta_.durable_sequence = kBlocks * 2 + 11;
  block(kBlocks * 2 + 11) = block(kBlocks * 2 + 12);
  refinish(kBlocks * 2 + 11, [](Block& block) {
    block.sequence = kBlocks + 11;
    block.completed_sequence = kBlocks + 10;
  });
  EXPECT_EQ(open().damage->row, "lost write");
}

TEST_F(RecoveryTest, DoesNotTakeAMisdirectedBlock) {
  write("first");
  block(2) = block(1);
  RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.ended_by, "misdirected head");
  EXPECT_EQ(recovered.start.end, (Position{1, 5}));
  block(3) = block(1);
  EXPECT_EQ(count(open(), "misdirected"), 1u);
  meta_.durable_sequence = 2;
  EXPECT_EQ(open().damage->row, "overwritten");
}

TEST_F(RecoveryTest, RefusesWhatIsNotThisJournal) {
  write("first");
  write("second");
  const Block good = block(2);
  const auto refused = [&](const std::function<void(Block&)>& change) {
    block(2) = good;
    refinish(2, change);
    return open().refusal;
  };
  EXPECT_EQ(refused([](Block&) {}), "");
  EXPECT_NE(refused([](Block& b) { b.version = 2; }).find("other version"), std::string::npos);
  EXPECT_NE(refused([](Block& b) { b.journal_id = 1; }).find("foreign journal"), std::string::npos);
  EXPECT_NE(refused([](Block& b) { b.used_length = 0; }).find("malformed"), std::string::npos);
  EXPECT_NE(refused([](Block& b) { b.sequence = 2 + kBlocks; }).find("newer than the superblock"),
            std::string::npos);
  EXPECT_NE(refused([](Block& b) { b.incarnation = 99; }).find("future opening"),
            std::string::npos);
  EXPECT_NE(refused([](Block& b) { b.file_offset = 6; }).find("discontinuous"), std::string::npos);
  EXPECT_NE(refused([](Block& b) {
              b.kind = static_cast<std::uint16_t>(BlockKind::cut);
              b.used_length = sizeof(CutPayload);
              b.payload = {};
              b.file_number = 9;
            }).find("discontinuous"),
            std::string::npos);
}

// Whatever the ring contains, recovery ends with a verdict, and what it accepts can be opened.
TEST_F(RecoveryTest, GivesAVerdictOnAnyBytes) {
  ASSERT_TRUE(journal_->start_epoch({1, 1}));
  for (int i = 0; i < 12; ++i) write("some bytes of the stream");
  ASSERT_TRUE(journal_->append_file_end({1, journal_->end().offset, 0, 0}));
  write_open();
  ASSERT_TRUE(journal_->cut(100, {1, 2}));
  write_open();
  write("more");
  const std::uint64_t last = journal_->last_sequence();
  JournalMemory good(kBlocks);
  std::memcpy(good.image().data(), medium_.image().data(), good.image().size());
  const JournalMeta good_meta = meta_;
  std::mt19937_64 random(7);
  int refused = 0;
  int damaged = 0;
  int opened = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::memcpy(medium_.image().data(), good.image().data(), medium_.image().size());
    meta_ = good_meta;
    const std::uint64_t sequence = 1 + random() % last;
    auto* const bytes = reinterpret_cast<unsigned char*>(&block(sequence));
    for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      // Any field of the header or the beginning of the payload, mostly to an extreme.
      const std::size_t at = random() % (kBlockHeaderSize + 24);
      const std::uint64_t kind = random() % 4;
      bytes[at] = static_cast<unsigned char>(kind == 0 ? 0 : kind == 1 ? 0xff : random());
    }
    if (random() % 4 != 0) block(sequence).magic = kBlockMagic;
    if (random() % 8 != 0) {
      // With what follows linked to it again, as if it had been written so.
      for (std::uint64_t linked = sequence; linked <= last; ++linked) {
        if (linked > sequence) block(linked).previous_crc = block(linked - 1).integrity.crc;
        block(linked).integrity = {};
        block(linked).integrity.crc = block_crc(block(linked));
      }
    }
    if (random() % 3 == 0) meta_.durable_sequence = random() % (last + 2);
    const RecoveredJournal recovered = open();
    if (!recovered.refusal.empty()) {
      ++refused;
      continue;
    }
    ++opened;
    if (recovered.damage) ++damaged;
    ASSERT_LE(journal_->released(), journal_->end());
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(damaged, 1000);
  EXPECT_GT(opened, 1000);
}

TEST_F(RecoveryTest, AppliesCutsInOrder) {
  ASSERT_TRUE(journal_->start_epoch({1, 1}));
  write("kept and lost");
  ASSERT_TRUE(journal_->append_file_end({1, 13, 13, 0}));
  write_open();
  write("file two");
  ASSERT_TRUE(journal_->cut(4, {1, 2}));
  write_open();
  write(" and new");
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 12}));
  EXPECT_EQ(recovered.start.epoch, (Epoch{1, 2}));
  EXPECT_EQ(journal_->end_log(), 12u);
  journal_->release(12);
  JournalCursor cursor(*journal_, {});
  std::string text;
  while (const auto chunk = cursor.next(journal_->release_mark())) {
    text.append(reinterpret_cast<const char*>(chunk->bytes.data()), chunk->bytes.size());
  }
  EXPECT_EQ(text, "kept and new");
}

TEST_F(RecoveryTest, ACutThatDidNotBecomeDurableDidNotHappen) {
  write("all of it");
  ASSERT_TRUE(journal_->cut(3, {1, 2}));
  write_open(false, false);
  const RecoveredJournal recovered = open();
  EXPECT_EQ(recovered.start.end, (Position{1, 9}));
  EXPECT_EQ(recovered.start.epoch, (Epoch{}));
}

}  // namespace
}  // namespace binlane

#include "storage/journal/recovery_table.h"

#include "base/assert.h"

namespace binlane {
namespace {

using enum BlockEffect;

// Short names keep a row on one line or two. Each group narrows the one before.
constexpr std::uint16_t kZ = kFactZero;
constexpr std::uint16_t kC = kFactValid;
constexpr std::uint16_t kV = kFactOurVersion;
constexpr std::uint16_t kJ = kFactOurJournal;
constexpr std::uint16_t kW = kFactWellFormed;
constexpr std::uint16_t kS = kFactRightSlot;
constexpr std::uint16_t kE = kFactExpected;
constexpr std::uint16_t kO = kFactOlder;
constexpr std::uint16_t kF = kFactFuture;
constexpr std::uint16_t kT = kFactStale;
constexpr std::uint16_t kL = kFactLinked;
constexpr std::uint16_t kP = kFactContinues;
constexpr std::uint16_t kB = kFactBehindBreak;
constexpr std::uint16_t kA = kFactKnownDurable;

// Not zero; validates; of our version; of our journal; well formed; in its slot; expected and of a
// known opening.
constexpr std::uint16_t kOurs = kC | kV | kJ | kW;
constexpr std::uint16_t kToOurs = kZ | kOurs;
constexpr std::uint16_t kToSlot = kToOurs | kS;
constexpr std::uint16_t kToExpected = kToSlot | kE;
constexpr std::uint16_t kExpected = kOurs | kS | kE;
constexpr std::uint16_t kToOpening = kToExpected | kF | kT;

constexpr RecoveryRow kRows[] = {
    {"clean end", kZ | kB | kA, kZ, ends, "never written in this lap or any other"},
    {"empty", kZ | kB | kA, kZ | kB, ignored, "never written"},
    {"erased", kZ | kA, kZ | kA, damages, "was durable, but is zero now"},

    {"torn head", kZ | kC | kB | kA, 0, ends, "a write that was in flight when the process ended"},
    {"debris", kZ | kC | kB | kA, kB, ignored, "the rest of a write that was in flight"},
    {"corrupt", kZ | kC | kA, kA, damages, "was durable, but does not validate now"},

    {"other version", kZ | kC | kV, kC, refuses, "written by another version of this program"},
    {"foreign journal", kZ | kC | kV | kJ, kC | kV, refuses, "belongs to another journal"},
    {"malformed", kToOurs, kC | kV | kJ, refuses,
     "its checksum is right, but its fields contradict each other"},

    {"misdirected head", kToSlot | kB | kA, kOurs, ends, "of ours, written to the wrong slot"},
    {"misdirected", kToSlot | kB | kA, kOurs | kB, ignored, "of ours, written to the wrong slot"},
    {"overwritten", kToSlot | kA, kOurs | kA, damages,
     "was durable, but another block of ours, which belongs elsewhere, is there now"},

    {"newer than the superblock", kToExpected | kO, kOurs | kS, refuses,
     "of a later lap: the superblock is older than the ring"},
    {"stale lap head", kToExpected | kO | kB | kA, kOurs | kS | kO, ends, "of an earlier lap"},
    {"stale lap", kToExpected | kO | kB | kA, kOurs | kS | kO | kB, ignored, "of an earlier lap"},
    {"lost write", kToExpected | kO | kA, kOurs | kS | kO | kA, damages,
     "was durable, but the block of an earlier lap is still there"},

    {"future opening", kToExpected | kF, kExpected | kF, refuses,
     "of a later opening: the superblock is older than the ring"},
    {"stale opening head", kToOpening | kB | kA, kExpected | kT, ends,
     "left over from an earlier opening, after a block that was rewritten"},
    {"stale opening", kToOpening | kB | kA, kExpected | kT | kB, ignored,
     "left over from an earlier opening"},
    {"lost rewrite", kToOpening | kA, kExpected | kT | kA, damages,
     "was durable, but a block of an earlier opening is still there"},

    {"survivor", kToOpening | kB, kExpected | kB, counts,
     "a good block after a hole: from a write that overtook a torn one, or after damage"},
    {"unlinked head", kToOpening | kB | kL | kA, kExpected, ends,
     "does not follow the block before it"},
    {"unlinked", kToOpening | kB | kL | kA, kExpected | kA, damages,
     "was durable, but does not follow the block before it: one of the two is not what was "
     "written"},
    {"discontinuous", kToOpening | kB | kL | kP, kExpected | kL, refuses,
     "it names the block before it, but its position or epoch cannot follow: a fault of the "
     "program"},
    {"follows", kToOpening | kB | kL | kP, kExpected | kL | kP, extends,
     "the next block of the log"},
};

}  // namespace

std::span<const RecoveryRow> recovery_table() noexcept {
  return kRows;
}

const RecoveryRow& classify_block(std::uint16_t facts) noexcept {
  const RecoveryRow* found = nullptr;
  for (const RecoveryRow& row : kRows) {
    if ((facts & row.mask) != row.value) continue;
    BL_ASSERT(found == nullptr);
    found = &row;
  }
  BL_ASSERT(found != nullptr);
  return *found;
}

}  // namespace binlane

// JournalMeta: what is known of a journal in addition to its blocks; the superblock.
//
// It is stored in the durable record `<journal>.meta` (storage/durable_record.h). The ring alone
// does not tell which blocks the archive already has, so the record is half of the journal: one
// without the other is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "storage/journal/journal_cursor.h"

namespace binlane {

// Which source's binlog this is: the origin's UUID, the term in which it began, and the name its
// files have before the dot. Two streams with the same origin and term are the same.
struct StreamIdentity {
  Uuid origin;
  std::uint32_t term = 0;
  std::string basename;

  bool operator==(const StreamIdentity&) const = default;
  bool is_null() const noexcept { return origin.is_null(); }
};

// "{origin} term {term} ({basename})"
std::string to_string(const StreamIdentity& stream);

// The largest term that this replica has promised, and to whom. [S1]
struct Promise {
  std::uint32_t term = 0;
  Uuid candidate;

  bool operator==(const Promise&) const = default;
};

// A stream that this replica held before, complete, and where a promotion ended it for good.
struct SealedStream {
  StreamIdentity stream;
  Position end;
  bool own_folder = false;  // see JournalMeta

  bool operator==(const SealedStream&) const = default;
};

// How many are remembered: older ones are dropped, and are fed no more.
inline constexpr std::size_t kMaxSealedStreams = 4;
inline constexpr std::size_t kMaxRulesOnRecord = 4;
inline constexpr std::size_t kMaxRuleLength = 255;

struct JournalMeta {
  Uuid journal;
  StreamIdentity stream;  // null until the first source was accepted
  // The stream's files are stored in a folder of their own below the archive's: "<origin>.<term>".
  // The first stream's files are not.
  bool own_folder = false;
  std::vector<SealedStream> sealed;  // the streams before, oldest first
  std::uint32_t block_count = 0;
  std::uint32_t incarnation = 0;  // of the latest opening

  JournalConsumed archived;  // blocks whose units are on stable storage in the archive
  // At one moment at least this much was durable, and released. Both are older than the truth by
  // what happened since the record was last stored.
  std::uint64_t durable_sequence = 0;
  LogMark durable;
  Position released;
  Promise promise;
  // Quorum rules under which sources of this stream may have had commits acknowledged, as their
  // texts; the newest last. A promotion has to satisfy all of them. [S4]
  std::vector<std::string> rules;
  // Of a journal that began anew in the middle of a stream: until its log reaches this mark, it
  // counts as not inspected, because it lacks what an earlier journal of this replica acknowledged.
  // [S4]
  LogMark learner_until;
  // Of a journal that belongs to no stream: whatever this replica's journals held before was of
  // this term or an earlier one, because the host was a source until then, or held a stream of that
  // term. 0: not known.
  std::uint32_t forgotten_term = 0;
  // Set when recovery finds damage: bytes up to here were ACKed, and are missing until the log
  // reaches this mark again.
  LogMark damaged_until;

  // While the journal belongs to no stream: whether it is certain that no journal of this replica
  // ever held a byte of `candidate`. A blank journal by itself cannot know what an earlier one
  // held.
  bool never_held(const StreamIdentity& candidate) const noexcept;
  // What blocks carry to name their journal; never zero.
  std::uint64_t journal_id() const noexcept;
};

inline constexpr std::size_t kMaxBasenameLength = 255;
inline constexpr std::uint32_t kJournalFormatVersion = 3;

// The folder of a stream's files below the archive's; empty for the archive's own.
std::string archive_subfolder(const StreamIdentity& stream, bool own_folder);

// The superblock of a journal that begins anew, with an identity of its own. `promised`: the
// replica's promise, which survives its journals. [S1]
JournalMeta new_journal_meta(std::uint32_t block_count, const Promise& promised);

std::vector<std::byte> encode_journal_meta(const JournalMeta& meta);

// Empty, with the reason in `error`, when the bytes are not a journal's record of this version.
std::optional<JournalMeta> decode_journal_meta(ConstBytes bytes, std::string& error);

}  // namespace binlane

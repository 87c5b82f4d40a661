#include "storage/journal/journal_meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/mutant.h"
#include "storage/durable_record.h"
#include "storage/journal/block.h"

namespace binlane {
namespace {

constexpr std::uint64_t kMetaMagic = 0x6c616e72756f6a62;  // "bjournal"
// 2^62 blocks are 16 ZiB.
constexpr std::uint64_t kMaxSequence = std::uint64_t{1} << 62;

struct PackedPosition {
  le64 offset;
  le32 file;

  PackedPosition() = default;
  PackedPosition(Position position) : offset(position.offset), file(position.file) {}  // NOLINT
  Position get() const { return {file, offset}; }
};

struct PackedEpoch {
  le32 term;
  le32 incarnation;

  PackedEpoch() = default;
  PackedEpoch(Epoch epoch) : term(epoch.term), incarnation(epoch.incarnation) {}  // NOLINT
  Epoch get() const { return {term, incarnation}; }
};

struct PackedMark {
  PackedEpoch epoch;
  PackedPosition position;

  PackedMark() = default;
  PackedMark(const LogMark& mark) : epoch(mark.epoch), position(mark.position) {}  // NOLINT
  LogMark get() const { return {epoch.get(), position.get()}; }
};

struct PackedMeta {
  le64 magic;
  le32 version;
  le32 block_size;
  std::array<std::uint8_t, 16> journal{};
  std::array<std::uint8_t, 16> stream_origin{};
  le32 stream_term;
  le32 block_count;
  le32 incarnation;
  le32 archived_crc;
  le64 archived_sequence;
  PackedPosition archived;
  PackedEpoch archived_epoch;
  PackedEpoch archived_data_epoch;
  le32 archived_incarnation;
  le64 durable_sequence;
  PackedMark durable;
  PackedPosition released;
  PackedMark damaged_until;
  le32 promised_term;
  std::array<std::uint8_t, 16> promised_candidate{};
  le16 basename_length;
  std::uint8_t own_folder = 0;
  std::uint8_t sealed_count = 0;
  PackedMark learner_until;
  le16 rules_length;
  le32 forgotten_term;
  // These follow: the basename's bytes, the rules' texts (each ended by a newline), and the sealed
  // streams.
};

struct PackedSealed {
  std::array<std::uint8_t, 16> origin{};
  le32 term;
  PackedPosition end;
  std::uint8_t own_folder = 0;
  std::uint8_t zero = 0;
  le16 basename_length;
  // The basename's bytes follow.
};
static_assert(sizeof(PackedSealed) == 36 && alignof(PackedSealed) == 1);
static_assert(sizeof(PackedMeta) == 214 && alignof(PackedMeta) == 1);
static_assert(offsetof(PackedMeta, journal) == 16 && offsetof(PackedMeta, stream_term) == 48 &&
              offsetof(PackedMeta, archived_sequence) == 64 &&
              offsetof(PackedMeta, archived) == 72 &&
              offsetof(PackedMeta, durable_sequence) == 104 &&
              offsetof(PackedMeta, damaged_until) == 144 &&
              offsetof(PackedMeta, promised_term) == 164 &&
              offsetof(PackedMeta, basename_length) == 184);
constexpr std::size_t kMaxRulesLength = kMaxRulesOnRecord * (kMaxRuleLength + 1);
static_assert(sizeof(PackedMeta) + kMaxBasenameLength + kMaxRulesLength +
                  kMaxSealedStreams * (sizeof(PackedSealed) + kMaxBasenameLength) <=
              DurableRecord::kMaxPayloadSize);

void append(std::vector<std::byte>& bytes, const void* data, std::size_t size) {
  const auto* const first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

// Takes bytes from the front; every call is checked.
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : bytes_(bytes) {}
  bool take(void* out, std::size_t size) {
    if (size > bytes_.size()) return false;
    std::memcpy(out, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  bool take_text(std::string& out, std::size_t size) {
    if (size > bytes_.size()) return false;
    out.assign(reinterpret_cast<const char*>(bytes_.data()), size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  bool done() const { return bytes_.empty(); }

 private:
  ConstBytes bytes_;
};

bool take_rules(Reader& reader, std::size_t length, std::vector<std::string>& rules) {
  std::string text;
  if (length > kMaxRulesLength || !reader.take_text(text, length)) return false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos || rules.size() == kMaxRulesOnRecord) return false;
    rules.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return true;
}

bool take_sealed(Reader& reader, std::vector<SealedStream>& streams) {
  PackedSealed packed;
  if (!reader.take(static_cast<void*>(&packed), sizeof packed)) return false;
  SealedStream& sealed = streams.emplace_back();
  sealed.stream.origin.bytes = packed.origin;
  sealed.stream.term = packed.term;
  sealed.end = packed.end.get();
  sealed.own_folder = packed.own_folder != 0;
  const std::size_t length = packed.basename_length;
  return length <= kMaxBasenameLength && reader.take_text(sealed.stream.basename, length);
}

}  // namespace

std::string to_string(const StreamIdentity& stream) {
  return fmt::format("{} term {} ({})", to_string(stream.origin), stream.term, stream.basename);
}

std::string archive_subfolder(const StreamIdentity& stream, bool own_folder) {
  if (!own_folder || stream.is_null()) return {};
  return fmt::format("{}.{}", to_string(stream.origin), stream.term);
}

bool JournalMeta::never_held(const StreamIdentity& candidate) const noexcept {
  return stream.is_null() && forgotten_term > 0 && candidate.term > forgotten_term;
}

std::uint64_t JournalMeta::journal_id() const noexcept {
  std::uint64_t id = 0;
  std::memcpy(&id, journal.bytes.data(), sizeof id);
  return id;
}

JournalMeta new_journal_meta(std::uint32_t block_count, const Promise& promised) {
  BL_ASSERT(block_count > 0);
  JournalMeta meta;
  meta.journal = Uuid::random();
  meta.block_count = block_count;
  meta.promise = BL_MUTANT(promise_forgotten, Promise{}, promised);
  return meta;
}

std::vector<std::byte> encode_journal_meta(const JournalMeta& meta) {
  BL_ASSERT(meta.stream.basename.size() <= kMaxBasenameLength);
  PackedMeta packed;
  packed.magic = kMetaMagic;
  packed.version = kJournalFormatVersion;
  packed.block_size = kBlockSize;
  packed.journal = meta.journal.bytes;
  packed.stream_origin = meta.stream.origin.bytes;
  packed.stream_term = meta.stream.term;
  packed.block_count = meta.block_count;
  packed.incarnation = meta.incarnation;
  packed.archived_crc = meta.archived.crc;
  packed.archived_sequence = meta.archived.sequence;
  packed.archived = meta.archived.position;
  packed.archived_epoch = meta.archived.epoch;
  packed.archived_data_epoch = meta.archived.data_epoch;
  packed.archived_incarnation = meta.archived.incarnation;
  packed.durable_sequence = meta.durable_sequence;
  packed.durable = meta.durable;
  packed.released = meta.released;
  packed.damaged_until = meta.damaged_until;
  packed.promised_term = meta.promise.term;
  packed.promised_candidate = meta.promise.candidate.bytes;
  packed.basename_length = static_cast<std::uint16_t>(meta.stream.basename.size());
  packed.own_folder = meta.own_folder ? 1 : 0;
  packed.sealed_count = static_cast<std::uint8_t>(meta.sealed.size());
  packed.learner_until = meta.learner_until;
  packed.forgotten_term = meta.forgotten_term;
  std::string rules;
  BL_ASSERT(meta.rules.size() <= kMaxRulesOnRecord && meta.sealed.size() <= kMaxSealedStreams);
  for (const std::string& rule : meta.rules) {
    BL_ASSERT(rule.size() <= kMaxRuleLength && rule.find('\n') == std::string::npos);
    rules += rule + '\n';
  }
  packed.rules_length = static_cast<std::uint16_t>(rules.size());

  std::vector<std::byte> bytes;
  append(bytes, &packed, sizeof packed);
  append(bytes, meta.stream.basename.data(), meta.stream.basename.size());
  append(bytes, rules.data(), rules.size());
  for (const SealedStream& sealed : meta.sealed) {
    BL_ASSERT(sealed.stream.basename.size() <= kMaxBasenameLength);
    PackedSealed entry;
    entry.origin = sealed.stream.origin.bytes;
    entry.term = sealed.stream.term;
    entry.end = sealed.end;
    entry.own_folder = sealed.own_folder ? 1 : 0;
    entry.basename_length = static_cast<std::uint16_t>(sealed.stream.basename.size());
    append(bytes, &entry, sizeof entry);
    append(bytes, sealed.stream.basename.data(), sealed.stream.basename.size());
  }
  return bytes;
}

std::optional<JournalMeta> decode_journal_meta(ConstBytes bytes, std::string& error) {
  PackedMeta packed;
  if (bytes.size() < sizeof packed) {
    error = "the record is too short for a journal's";
    return std::nullopt;
  }
  std::memcpy(static_cast<void*>(&packed), bytes.data(), sizeof packed);
  if (packed.magic != kMetaMagic) {
    error = "the record is not a journal's";
    return std::nullopt;
  }
  if (packed.version != kJournalFormatVersion) {
    error = fmt::format("the journal has format version {}, but this program knows {}",
                        std::uint32_t{packed.version}, kJournalFormatVersion);
    return std::nullopt;
  }
  if (packed.block_size != kBlockSize) {
    error = fmt::format("the journal has blocks of {} bytes, but this program's have {}",
                        std::uint32_t{packed.block_size}, kBlockSize);
    return std::nullopt;
  }
  JournalMeta meta;
  Reader reader(bytes.subspan(sizeof packed));
  const std::size_t basename_length = packed.basename_length;
  bool sound = basename_length <= kMaxBasenameLength &&
               reader.take_text(meta.stream.basename, basename_length) &&
               take_rules(reader, packed.rules_length, meta.rules) &&
               packed.sealed_count <= kMaxSealedStreams;
  for (unsigned i = 0; sound && i < packed.sealed_count; ++i)
    sound = take_sealed(reader, meta.sealed);
  if (!sound || !reader.done()) {
    error = "the journal's record contradicts itself in the lengths of its texts";
    return std::nullopt;
  }
  // Only a fault can have made numbers this large, and counting on from them would wrap around.
  if (packed.archived_sequence > kMaxSequence || packed.durable_sequence > kMaxSequence ||
      packed.incarnation == UINT32_MAX) {
    error =
        "the journal's record contradicts itself: its block numbers or openings are impossibly "
        "large";
    return std::nullopt;
  }
  meta.journal.bytes = packed.journal;
  meta.stream.origin.bytes = packed.stream_origin;
  meta.stream.term = packed.stream_term;
  meta.own_folder = packed.own_folder != 0;
  meta.learner_until = packed.learner_until.get();
  meta.forgotten_term = packed.forgotten_term;
  meta.block_count = packed.block_count;
  meta.incarnation = packed.incarnation;
  meta.archived = {packed.archived_sequence,    packed.archived_crc,
                   packed.archived_incarnation, packed.archived.get(),
                   packed.archived_epoch.get(), packed.archived_data_epoch.get()};
  meta.durable_sequence = packed.durable_sequence;
  meta.durable = packed.durable.get();
  meta.released = packed.released.get();
  meta.damaged_until = packed.damaged_until.get();
  meta.promise = {packed.promised_term, {packed.promised_candidate}};
  return meta;
}

}  // namespace binlane

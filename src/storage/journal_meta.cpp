#include "storage/journal_meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "storage/block.h"
#include "storage/durable_record.h"

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
  le16 zero;
  // The basename's bytes follow.
};
static_assert(sizeof(PackedMeta) == 188 && alignof(PackedMeta) == 1);
static_assert(offsetof(PackedMeta, journal) == 16 && offsetof(PackedMeta, stream_term) == 48 &&
              offsetof(PackedMeta, archived_sequence) == 64 &&
              offsetof(PackedMeta, archived) == 72 &&
              offsetof(PackedMeta, durable_sequence) == 104 &&
              offsetof(PackedMeta, damaged_until) == 144 &&
              offsetof(PackedMeta, promised_term) == 164 &&
              offsetof(PackedMeta, basename_length) == 184);
static_assert(sizeof(PackedMeta) + kMaxBasenameLength <= DurableRecord::kMaxPayloadSize);

}  // namespace

std::string to_string(const StreamIdentity& stream) {
  return fmt::format("{} term {} ({})", to_string(stream.origin), stream.term, stream.basename);
}

std::uint64_t JournalMeta::journal_id() const noexcept {
  std::uint64_t id = 0;
  std::memcpy(&id, journal.bytes.data(), sizeof id);
  return id;
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

  std::vector<std::byte> bytes(sizeof packed + meta.stream.basename.size());
  std::memcpy(bytes.data(), &packed, sizeof packed);
  std::memcpy(bytes.data() + sizeof packed, meta.stream.basename.data(),
              meta.stream.basename.size());
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
    error = fmt::format("the journal has format version {}, this program knows {}",
                        std::uint32_t{packed.version}, kJournalFormatVersion);
    return std::nullopt;
  }
  if (packed.block_size != kBlockSize) {
    error = fmt::format("the journal has blocks of {} bytes, this program's have {}",
                        std::uint32_t{packed.block_size}, kBlockSize);
    return std::nullopt;
  }
  const std::size_t basename_length = packed.basename_length;
  if (basename_length > kMaxBasenameLength || bytes.size() != sizeof packed + basename_length) {
    error = "the journal's record contradicts itself: the length of the binlog's basename";
    return std::nullopt;
  }
  // Numbers that only a fault can have made: what counts on from them would wrap around.
  if (packed.archived_sequence > kMaxSequence || packed.durable_sequence > kMaxSequence ||
      packed.incarnation == UINT32_MAX) {
    error = "the journal's record contradicts itself: block numbers or openings beyond any count";
    return std::nullopt;
  }
  JournalMeta meta;
  meta.journal.bytes = packed.journal;
  meta.stream.origin.bytes = packed.stream_origin;
  meta.stream.term = packed.stream_term;
  meta.stream.basename.assign(reinterpret_cast<const char*>(bytes.data() + sizeof packed),
                              basename_length);
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

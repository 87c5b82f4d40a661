#include "control/stream/source_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "storage/durable_record.h"

namespace binlane {
namespace {

constexpr std::uint32_t kVersion = 5;

struct DiskPosition {
  le32 file;
  le64 offset;
};
static_assert(sizeof(DiskPosition) == 12);

struct DiskSafeMark {
  le32 term;
  le32 incarnation;
  DiskPosition safe;
};
static_assert(sizeof(DiskSafeMark) == 20);

// The fixed head of the payload; the two texts follow it, basename first, and then the safe marks.
struct DiskState {
  le32 version;
  std::uint8_t origin[16];
  le32 term;
  le32 incarnation;
  DiskPosition stream_start;
  DiskPosition run_start;
  DiskPosition synced;
  DiskPosition quorum;
  DiskPosition looked;
  le64 yes_tx;
  le64 no_tx;
  le64 no_times;
  DiskPosition anchor_at;
  le32 anchor_digest;
  le16 basename_length;
  le16 server_run_length;
  le16 safe_mark_count;
  std::uint8_t unaccounted;  // 0 or 1
  std::uint8_t waits;        // kPromised, kWaitsCommitted, kEndedInOrder
};
static_assert(sizeof(DiskState) == 136 && alignof(DiskState) == 1);
static_assert(sizeof(DiskState) + kMaxStateBasenameLength + kMaxServerRunLength +
                  kMaxSafeMarks * sizeof(DiskSafeMark) <=
              DurableRecord::kMaxPayloadSize);

constexpr std::uint8_t kPromised = 1;
constexpr std::uint8_t kWaitsCommitted = 2;
constexpr std::uint8_t kEndedInOrder = 4;
constexpr std::uint8_t kWaits = kPromised | kWaitsCommitted | kEndedInOrder;

DiskPosition to_disk(const Position& position) {
  return {position.file, position.offset};
}
Position from_disk(const DiskPosition& position) {
  return {position.file, position.offset};
}

}  // namespace

void remember_safe_mark(std::vector<SafeMark>& marks, const SafeMark& mark) {
  BL_ASSERT(marks.empty() || marks.back().epoch < mark.epoch);
  // A log of an epoch before both is held to the same.
  if (!marks.empty() && marks.back().safe == mark.safe) marks.pop_back();
  if (marks.size() == kMaxSafeMarks) marks.erase(marks.begin());
  marks.push_back(mark);
}

std::vector<std::byte> encode_source_state(const SourceState& state) {
  BL_ASSERT(state.basename.size() <= kMaxStateBasenameLength);
  BL_ASSERT(state.server_run.size() <= kMaxServerRunLength);
  BL_ASSERT(state.safe_marks.size() <= kMaxSafeMarks);
  DiskState disk;
  disk.version = kVersion;
  std::memcpy(disk.origin, state.origin.bytes.data(), sizeof disk.origin);
  disk.term = state.epoch.term;
  disk.incarnation = state.epoch.incarnation;
  disk.stream_start = to_disk(state.stream_start);
  disk.run_start = to_disk(state.run_start);
  disk.synced = to_disk(state.synced);
  disk.quorum = to_disk(state.quorum);
  disk.looked = to_disk(state.looked);
  disk.yes_tx = state.counters.yes_tx;
  disk.no_tx = state.counters.no_tx;
  disk.no_times = state.counters.no_times;
  disk.anchor_at = to_disk(state.anchor.at);
  disk.anchor_digest = state.anchor.digest;
  disk.basename_length = static_cast<std::uint16_t>(state.basename.size());
  disk.server_run_length = static_cast<std::uint16_t>(state.server_run.size());
  disk.safe_mark_count = static_cast<std::uint16_t>(state.safe_marks.size());
  disk.unaccounted = state.unaccounted ? 1 : 0;
  disk.waits = static_cast<std::uint8_t>((state.promised ? kPromised : 0) |
                                         (state.waits_committed ? kWaitsCommitted : 0) |
                                         (state.ended_in_order ? kEndedInOrder : 0));
  const std::size_t texts_size = state.basename.size() + state.server_run.size();
  std::vector<std::byte> bytes(sizeof disk + texts_size +
                               state.safe_marks.size() * sizeof(DiskSafeMark));
  std::memcpy(bytes.data(), &disk, sizeof disk);
  std::byte* const texts = bytes.data() + sizeof disk;
  if (!state.basename.empty()) std::memcpy(texts, state.basename.data(), state.basename.size());
  if (!state.server_run.empty())
    std::memcpy(texts + state.basename.size(), state.server_run.data(), state.server_run.size());
  std::byte* at = texts + texts_size;
  for (const SafeMark& mark : state.safe_marks) {
    const DiskSafeMark on_disk{mark.epoch.term, mark.epoch.incarnation, to_disk(mark.safe)};
    std::memcpy(at, &on_disk, sizeof on_disk);
    at += sizeof on_disk;
  }
  BL_ASSERT(decode_source_state(bytes) == state);
  return bytes;
}

std::optional<SourceState> decode_source_state(ConstBytes bytes) {
  DiskState disk;
  if (bytes.size() < sizeof disk) return std::nullopt;
  std::memcpy(&disk, bytes.data(), sizeof disk);
  const std::size_t basename_length = disk.basename_length;
  const std::size_t server_run_length = disk.server_run_length;
  if (disk.version != kVersion || basename_length > kMaxStateBasenameLength ||
      server_run_length > kMaxServerRunLength || disk.safe_mark_count > kMaxSafeMarks ||
      disk.unaccounted > 1 || disk.waits > kWaits ||
      bytes.size() != sizeof disk + basename_length + server_run_length +
                          disk.safe_mark_count * sizeof(DiskSafeMark))
    return std::nullopt;
  SourceState state;
  std::memcpy(state.origin.bytes.data(), disk.origin, sizeof disk.origin);
  state.epoch = {disk.term, disk.incarnation};
  state.stream_start = from_disk(disk.stream_start);
  state.run_start = from_disk(disk.run_start);
  state.synced = from_disk(disk.synced);
  state.quorum = from_disk(disk.quorum);
  state.looked = from_disk(disk.looked);
  state.counters = {disk.yes_tx, disk.no_tx, disk.no_times};
  state.unaccounted = disk.unaccounted == 1;
  state.promised = (disk.waits & kPromised) != 0;
  state.waits_committed = (disk.waits & kWaitsCommitted) != 0;
  state.ended_in_order = (disk.waits & kEndedInOrder) != 0;
  state.anchor = {from_disk(disk.anchor_at), disk.anchor_digest};
  const char* const texts = reinterpret_cast<const char*>(bytes.data()) + sizeof disk;
  state.basename.assign(texts, basename_length);
  state.server_run.assign(texts + basename_length, server_run_length);
  const std::byte* at = bytes.data() + sizeof disk + basename_length + server_run_length;
  for (std::size_t i = 0; i < disk.safe_mark_count; ++i, at += sizeof(DiskSafeMark)) {
    DiskSafeMark mark;
    std::memcpy(&mark, at, sizeof mark);
    state.safe_marks.push_back({{mark.term, mark.incarnation}, from_disk(mark.safe)});
  }
  return state;
}

Position registration_position(const SourceState& state) noexcept {
  return BL_MUTANT(registered_at_end, state.synced, std::max(state.quorum, state.run_start));
}

StateMedium StateMedium::file(std::string path) {
  auto record = std::make_shared<DurableRecord>(path);
  return {std::move(path), [record] { return record->load(); },
          [record](ConstBytes bytes) { return record->store(bytes); }};
}

SourceStateFile::SourceStateFile(StateMedium medium) : medium_(std::move(medium)) {
  const auto payload = medium_.load();
  if (!payload) return;
  state_ = decode_source_state(*payload);
  if (!state_)
    throw StartupError(
        fmt::format("{}: holds no state of a source that this version can read; it was written by "
                    "another version of binlaned, or belongs to something else",
                    medium_.path));
}

int SourceStateFile::store(const SourceState& state) {
  if (state_ == state) return 0;
  if (error_ == 0) error_ = medium_.store(encode_source_state(state));
  if (error_ != 0) return error_;
  state_ = state;
  ++stores_;
  return 0;
}

}  // namespace binlane

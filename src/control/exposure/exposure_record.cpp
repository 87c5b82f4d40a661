#include "control/exposure/exposure_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "dataplane/session/frame.h"
#include "storage/durable_record.h"

namespace binlane {
namespace {

constexpr std::uint32_t kVersion = 1;

struct DiskHead {
  le32 version;
  std::uint8_t journal[16];
  std::uint8_t origin[16];
  le32 term;
  le64 total;
  le32 count;
  // A term of 0: not diverged.
  le32 diverged_term;
  wire::WirePosition sealed_at;
  wire::WirePosition reached;
  le64 diverged_groups;
};
static_assert(sizeof(DiskHead) == 88 && alignof(DiskHead) == 1);
// The entries follow, in the form in which they are sent.
static_assert(sizeof(DiskHead) + kMaxExposures * sizeof(wire::ExposedEntry) <=
              DurableRecord::kMaxPayloadSize);

}  // namespace

std::vector<std::byte> encode_exposure_state(const ExposureState& state) {
  BL_ASSERT(state.exposures.size() <= kMaxExposures);
  DiskHead head;
  head.version = kVersion;
  std::copy(state.owner.journal.bytes.begin(), state.owner.journal.bytes.end(), head.journal);
  std::copy(state.owner.origin.bytes.begin(), state.owner.origin.bytes.end(), head.origin);
  head.term = state.owner.term;
  head.total = state.total;
  head.count = static_cast<std::uint32_t>(state.exposures.size());
  const Divergence divergence = state.divergence.value_or(Divergence{});
  BL_ASSERT(!state.divergence || divergence.term > 0);
  head.diverged_term = divergence.term;
  head.sealed_at = to_wire(divergence.sealed_at);
  head.reached = to_wire(divergence.reached);
  head.diverged_groups = divergence.groups;
  std::vector<std::byte> bytes(sizeof head + state.exposures.size() * sizeof(wire::ExposedEntry));
  std::memcpy(bytes.data(), &head, sizeof head);
  std::byte* at = bytes.data() + sizeof head;
  for (const Exposure& exposure : state.exposures) {
    const wire::ExposedEntry entry = entry_of(exposure);
    std::memcpy(at, &entry, sizeof entry);
    at += sizeof entry;
  }
  BL_ASSERT(decode_exposure_state(bytes) == state);
  return bytes;
}

std::optional<ExposureState> decode_exposure_state(ConstBytes bytes) {
  DiskHead head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.version != kVersion || head.count > kMaxExposures ||
      bytes.size() != sizeof head + head.count * sizeof(wire::ExposedEntry))
    return std::nullopt;
  ExposureState state;
  std::copy(std::begin(head.journal), std::end(head.journal), state.owner.journal.bytes.begin());
  std::copy(std::begin(head.origin), std::end(head.origin), state.owner.origin.bytes.begin());
  state.owner.term = head.term;
  state.total = head.total;
  if (head.diverged_term > 0)
    state.divergence = Divergence{head.diverged_term, from_wire(head.sealed_at),
                                  from_wire(head.reached), head.diverged_groups};
  for (std::size_t i = 0; i < head.count; ++i) {
    wire::ExposedEntry entry;
    std::memcpy(static_cast<void*>(&entry), bytes.data() + sizeof head + i * sizeof entry,
                sizeof entry);
    const auto exposure = exposure_of(entry);
    if (!exposure) return std::nullopt;
    state.exposures.push_back(*exposure);
  }
  return state;
}

bool has_diverged(Position sealed_at, Position reached, std::uint64_t groups) noexcept {
  return BL_MUTANT(divergence_ignored, false, reached > sealed_at && groups > 0);
}

std::vector<std::string> exposure_lines(const ExposureState& state, Position heard_of) {
  std::vector<std::string> lines;
  for (const Exposure& exposure : state.exposures)
    lines.push_back(fmt::format("released to clients without a quorum: {}", to_string(exposure)));
  if (state.exposures.empty())
    lines.emplace_back(
        "released to clients without a quorum: nothing, as far as the source has reported");
  if (state.total > state.exposures.size())
    lines.push_back(fmt::format("and {} older intervals, in the source's ledger",
                                state.total - state.exposures.size()));
  lines.push_back(
      fmt::format("exposure after last contact with the source (it reported {}): unknown",
                  to_string(heard_of)));
  return lines;
}

ExposureRecord::ExposureRecord(std::optional<std::vector<std::byte>> found, Store store)
    : store_(std::move(store)) {
  if (!found) return;
  const auto decoded = decode_exposure_state(*found);
  if (!decoded)
    throw StartupError(
        "the record of exposures beside the journal cannot be read: another version of binlaned "
        "wrote it, or it belongs to something else");
  state_ = *decoded;
}

void ExposureRecord::set_owner(const ExposureOwner& owner) {
  if (state_.owner == owner) return;
  state_ = {};
  state_.owner = owner;
}

bool ExposureRecord::take(const ExposureList& list) {
  if (state_.owner.origin.is_null() || list.origin != state_.owner.origin ||
      list.term != state_.owner.term)
    return false;
  ExposureState next = state_;
  next.total = std::max(next.total, list.total);
  const bool taken = merge_exposures(next.exposures, list.exposures, kMaxExposures) &&
                     (next == state_ || store(next) == 0);
  if (!taken) ++failures_;
  return BL_MUTANT(exposure_acked_before_durable, true, taken);
}

int ExposureRecord::set_divergence(const Divergence& divergence) {
  if (divergence.term == 0) return EINVAL;  // such a record would say: not diverged
  ExposureState next = state_;
  next.divergence = divergence;
  const int error = store(next);
  state_.divergence = divergence;
  return error;
}

int ExposureRecord::store(const ExposureState& next) {
  error_ = store_(encode_exposure_state(next));
  if (error_ == 0) state_ = next;
  return error_;
}

}  // namespace binlane

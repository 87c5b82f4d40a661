// Exposure: an interval of a stream that was released to clients without a quorum, as a source's
// ledger reports it to its replicas, and the list of such intervals that both keep. [S8, S10]
//
// Pure. A list is the union of everything that was ever reported. Reporting the same again, or an
// older list after a newer one, changes nothing, and a closed interval remains closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "binlane/wire.h"
#include "control/exposure/ledger.h"

namespace binlane {

// For an interval whose binlogs are gone or damaged. Not 0, because that would mean that there are
// no groups.
inline constexpr std::uint64_t kUncountedGroups = UINT64_MAX;

struct Exposure {
  std::uint64_t id = 0;  // in the source's ledger
  Epoch epoch;
  Position from;
  std::optional<Position> to;  // nothing while it is open
  std::uint64_t groups = 0;    // event groups in it, once closed; or kUncountedGroups

  bool open() const noexcept { return !to.has_value(); }
  bool covers(Position end) const noexcept { return from < end && (open() || end <= *to); }
  bool operator==(const Exposure&) const = default;
};

// "interval 3 from 1:500 to 1:900 (4 event groups)" or "interval 3 from 1:500 on, still open"
std::string to_string(const Exposure& exposure);

// A list as it is sent.
struct ExposureList {
  Uuid origin;
  std::uint32_t term = 0;
  std::uint64_t number = 0;
  std::uint64_t total = 0;  // intervals ever opened
  std::vector<Exposure> exposures;
};

// What a ledger says of the stream `origin`, at most kExposedEntries: the open intervals, earliest
// first, since the earliest covers the others, and then the newest closed ones.
std::vector<Exposure> exposures_of(const Ledger& ledger, const Uuid& origin);

wire::ExposedEntry entry_of(const Exposure& exposure);
// Nothing for an interval that ends before it begins.
std::optional<Exposure> exposure_of(const wire::ExposedEntry& entry);

// Asserts that the list fits.
wire::ExposedBody encode_exposures(const ExposureList& list);
// Nothing if the body is not a list: too many entries, or an interval that ends before it begins.
std::optional<ExposureList> decode_exposures(const wire::ExposedBody& body);

// Adds `news` to `known`, which is kept within `limit` by forgetting the oldest closed ones.
// Returns false, and leaves `known` unchanged, if the open ones alone do not fit.
bool merge_exposures(std::vector<Exposure>& known, const std::vector<Exposure>& news,
                     std::size_t limit);

}  // namespace binlane

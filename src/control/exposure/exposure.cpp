#include "control/exposure/exposure.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/assert.h"
#include "dataplane/session/frame.h"

namespace binlane {
namespace {

// A ledger that was begun anew numbers its intervals from 1 again.
bool same_interval(const Exposure& a, const Exposure& b) {
  return a.id == b.id && a.from == b.from && a.epoch == b.epoch;
}

bool forget_one(std::vector<Exposure>& list) {
  const auto oldest = std::find_if(list.begin(), list.end(),
                                   [](const Exposure& exposure) { return !exposure.open(); });
  if (oldest == list.end()) return false;
  list.erase(oldest);
  return true;
}

}  // namespace

wire::ExposedEntry entry_of(const Exposure& exposure) {
  BL_ASSERT(exposure.open() || exposure.from <= *exposure.to);  // exposure_of() demands it
  wire::ExposedEntry entry;
  entry.id = exposure.id;
  entry.epoch = to_wire(exposure.epoch);
  entry.from = to_wire(exposure.from);
  entry.to = to_wire(exposure.to.value_or(Position{}));
  entry.groups = exposure.groups;
  entry.flags = exposure.open() ? wire::kExposedOpen : 0U;
  return entry;
}

std::optional<Exposure> exposure_of(const wire::ExposedEntry& entry) {
  Exposure exposure;
  exposure.id = entry.id;
  exposure.epoch = from_wire(entry.epoch);
  exposure.from = from_wire(entry.from);
  exposure.groups = entry.groups;
  if ((entry.flags & wire::kExposedOpen) == 0) exposure.to = from_wire(entry.to);
  if (exposure.to && *exposure.to < exposure.from) return std::nullopt;
  return exposure;
}

std::string to_string(const Exposure& exposure) {
  if (exposure.open())
    return fmt::format("interval {} from {} on, still open", exposure.id, to_string(exposure.from));
  const std::string groups = exposure.groups == kUncountedGroups
                                 ? "an unknown number of"
                                 : fmt::format("{}", exposure.groups);
  return fmt::format("interval {} from {} to {} ({} event groups)", exposure.id,
                     to_string(exposure.from), to_string(*exposure.to), groups);
}

std::vector<Exposure> exposures_of(const Ledger& ledger, const Uuid& origin) {
  std::vector<Exposure> open;
  std::vector<Exposure> closed;
  for (const LedgerInterval& interval : ledger.list()) {
    if (!interval.stream.is_null() && interval.stream != origin) continue;
    Exposure exposure{interval.id, interval.epoch, interval.from, interval.to,
                      interval.uncountable ? kUncountedGroups : interval.groups};
    (interval.open() ? open : closed).push_back(exposure);
  }
  std::sort(open.begin(), open.end(),
            [](const Exposure& a, const Exposure& b) { return a.from < b.from; });
  if (open.size() > wire::kExposedEntries) open.resize(wire::kExposedEntries);
  const std::size_t room = wire::kExposedEntries - open.size();
  const std::size_t skipped = closed.size() > room ? closed.size() - room : 0;
  open.insert(open.end(), closed.begin() + static_cast<std::ptrdiff_t>(skipped), closed.end());
  return open;
}

wire::ExposedBody encode_exposures(const ExposureList& list) {
  BL_ASSERT(list.exposures.size() <= wire::kExposedEntries);
  wire::ExposedBody body;
  std::copy(list.origin.bytes.begin(), list.origin.bytes.end(), body.origin);
  body.stream_term = list.term;
  body.count = static_cast<std::uint32_t>(list.exposures.size());
  body.number = list.number;
  body.total = list.total;
  for (std::size_t i = 0; i < list.exposures.size(); ++i)
    body.entries[i] = entry_of(list.exposures[i]);
  return body;
}

std::optional<ExposureList> decode_exposures(const wire::ExposedBody& body) {
  if (body.count > wire::kExposedEntries) return std::nullopt;
  ExposureList list;
  list.origin = uuid_of(body.origin);
  list.term = body.stream_term;
  list.number = body.number;
  list.total = body.total;
  for (std::size_t i = 0; i < body.count; ++i) {
    const auto exposure = exposure_of(body.entries[i]);
    if (!exposure) return std::nullopt;
    list.exposures.push_back(*exposure);
  }
  return list;
}

bool merge_exposures(std::vector<Exposure>& known, const std::vector<Exposure>& news,
                     std::size_t limit) {
  std::vector<Exposure> merged = known;
  for (const Exposure& exposure : news) {
    const auto found = std::find_if(merged.begin(), merged.end(), [&](const Exposure& other) {
      return same_interval(exposure, other);
    });
    if (found == merged.end())
      merged.push_back(exposure);
    else if (found->open())
      *found = exposure;
  }
  std::stable_sort(merged.begin(), merged.end(), [](const Exposure& a, const Exposure& b) {
    return std::tie(a.epoch, a.id) < std::tie(b.epoch, b.id);
  });
  while (merged.size() > limit) {
    if (!forget_one(merged)) return false;
  }
  known = std::move(merged);
  return true;
}

}  // namespace binlane

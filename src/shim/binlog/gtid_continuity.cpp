#include "shim/binlog/gtid_continuity.h"

#include <fmt/format.h>

#include <algorithm>

#include "shim/binlog/gtid_position.h"

namespace binlane {
namespace {

using Entries = std::span<const GtidEntry>;

const GtidEntry* find(Entries entries, const GtidEntry& wanted) noexcept {
  const auto found = std::ranges::find_if(entries, [&wanted](const GtidEntry& entry) {
    return entry.domain == wanted.domain && entry.server_id == wanted.server_id;
  });
  return found == entries.end() ? nullptr : &*found;
}

bool holds(Entries entries, const GtidEntry& wanted) noexcept {
  const GtidEntry* const found = find(entries, wanted);
  return found != nullptr && found->sequence == wanted.sequence;
}

bool has_domain(Entries entries, std::uint32_t domain) noexcept {
  return std::ranges::any_of(entries,
                             [domain](const GtidEntry& entry) { return entry.domain == domain; });
}

}  // namespace

Continuity judge_continuity(Entries begin, Entries end, Entries next) noexcept {
  for (const GtidEntry& entry : next) {
    if (!holds(end, entry)) return Continuity::differs;
  }
  if (next.size() == end.size()) return Continuity::follows;
  for (const GtidEntry& entry : end) {
    if (holds(next, entry)) continue;
    // Everything of a deleted domain is missing, and the file itself wrote nothing to it.
    if (has_domain(next, entry.domain) || !holds(begin, entry)) return Continuity::differs;
  }
  return Continuity::domains_deleted;
}

std::string continuity_text(Entries end, Entries next) {
  for (const GtidEntry& entry : next) {
    if (holds(end, entry)) continue;
    const GtidEntry* const ours = find(end, entry);
    if (ours == nullptr)
      return fmt::format("the next file says that {} was written, but the file does not hold it",
                         to_string(entry));
    return fmt::format("the file ends with {}, but the next file begins after {}", to_string(*ours),
                       to_string(entry));
  }
  for (const GtidEntry& entry : end) {
    if (!holds(next, entry))
      return fmt::format("the file holds {}, but the next file does not list it", to_string(entry));
  }
  return {};
}

}  // namespace binlane

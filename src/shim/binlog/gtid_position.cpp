#include "shim/binlog/gtid_position.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace binlane {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Takes a number and the character after it (0: the text's end) from the front.
template <class T>
bool take_number(std::string_view& text, T& value, char separator) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (separator == 0) return text.empty();
  if (text.empty() || text.front() != separator) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string to_string(const GtidEntry& gtid) {
  return fmt::format("{}-{}-{}", gtid.domain, gtid.server_id, gtid.sequence);
}

std::optional<GtidEntry> parse_gtid(std::string_view text) {
  GtidEntry gtid;
  if (!take_number(text, gtid.domain, '-') || !take_number(text, gtid.server_id, '-') ||
      !take_number(text, gtid.sequence, 0)) {
    return std::nullopt;
  }
  return gtid;
}

std::optional<GtidPosition> GtidPosition::parse(std::string_view text) {
  GtidPosition position;
  if (trimmed(text).empty()) return position;
  while (true) {
    const auto comma = text.find(',');
    const auto gtid = parse_gtid(trimmed(text.substr(0, comma)));
    if (!gtid || position.find(gtid->domain) != nullptr || position.size() == kMaxDomains) {
      return std::nullopt;
    }
    position.set(*gtid);
    if (comma == std::string_view::npos) return position;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::pair<GtidEntry, GtidEntry>> GtidPosition::conflict(std::string_view text) {
  GtidPosition position;
  while (position.size() < kMaxDomains) {
    const auto comma = text.find(',');
    const auto gtid = parse_gtid(trimmed(text.substr(0, comma)));
    if (!gtid) return std::nullopt;
    if (const GtidEntry* const before = position.find(gtid->domain))
      return std::pair{*gtid, *before};
    position.set(*gtid);
    if (comma == std::string_view::npos) return std::nullopt;
    text.remove_prefix(comma + 1);
  }
  return std::nullopt;
}

const GtidEntry* GtidPosition::find(std::uint32_t domain) const {
  const auto found = gtids_.find(domain);
  return found == gtids_.end() ? nullptr : &found->second;
}

bool covers(const GtidPosition& position, const GtidPosition& wanted) {
  for (const auto& [domain, gtid] : wanted.by_domain()) {
    const GtidEntry* const had = position.find(domain);
    if (had == nullptr || had->sequence < gtid.sequence) return false;
  }
  return true;
}

std::string GtidPosition::text() const {
  std::string text;
  for (const auto& [domain, gtid] : gtids_) {
    if (!text.empty()) text += ',';
    text += to_string(gtid);
  }
  return text;
}

bool GtidHistory::set(const GtidEntry& gtid) {
  const auto domain = domains_.find(gtid.domain);
  if (domain == domains_.end()) {
    if (count_ == kMaxEntries) return false;
    domains_[gtid.domain].push_back(gtid);
    ++count_;
    return true;
  }
  std::vector<GtidEntry>& entries = domain->second;
  // Nearly always the same server wrote the previous entry too.
  if (entries.back().server_id == gtid.server_id) {
    entries.back() = gtid;
    return true;
  }
  const auto same_server =
      std::find_if(entries.begin(), entries.end(),
                   [&gtid](const GtidEntry& entry) { return entry.server_id == gtid.server_id; });
  if (same_server == entries.end()) {
    if (count_ == kMaxEntries) return false;
    entries.push_back(gtid);
    ++count_;
    return true;
  }
  *same_server = gtid;
  std::rotate(same_server, same_server + 1, entries.end());
  BL_ASSERT(entries.back().server_id == gtid.server_id);
  return true;
}

std::optional<std::uint64_t> GtidHistory::last_of(std::uint32_t domain,
                                                  std::uint32_t server_id) const {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) return std::nullopt;
  for (const GtidEntry& entry : found->second) {
    if (entry.server_id == server_id) return entry.sequence;
  }
  return std::nullopt;
}

std::optional<GtidEntry> GtidHistory::last_in(std::uint32_t domain) const {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<GtidEntry> GtidHistory::list() const {
  std::vector<GtidEntry> all;
  all.reserve(count_);
  for (const auto& [domain, entries] : domains_) {
    all.insert(all.end(), entries.begin(), entries.end());
  }
  return all;
}

GtidPosition GtidHistory::position() const {
  GtidPosition position;
  for (const auto& [domain, entries] : domains_) position.set(entries.back());
  return position;
}

}  // namespace binlane

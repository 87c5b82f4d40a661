// MariaDB's two shapes of GTID state, as plain values.
//
// GtidPosition is a replica's: one GTID per domain, "0-1-100,1-2-5". GtidHistory is a binlog's: the
// last sequence number of every {domain, server id}, and which of a domain's servers wrote last; it
// is what a Gtid_list event holds (which lists the domains in no order, and the last writer of each
// at the end of its domain). Both are bounded, because
// both can come from outside.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shim/binlog/gtid_state.h"

namespace binlane {

// "0-1-100".
std::string to_string(const GtidEntry& gtid);
// The exact text of one GTID; nothing else around it.
std::optional<GtidEntry> parse_gtid(std::string_view text);

class GtidPosition {
 public:
  static constexpr std::size_t kMaxDomains = 1 << 16;

  // Comma-separated GTIDs, blanks allowed around each; the empty text is the empty position.
  // Nothing if the text is malformed, names a domain twice, or exceeds kMaxDomains.
  static std::optional<GtidPosition> parse(std::string_view text);
  // The two GTIDs of one domain because of which a text is no position: the later one and the one
  // before it.
  static std::optional<std::pair<GtidEntry, GtidEntry>> conflict(std::string_view text);

  const GtidEntry* find(std::uint32_t domain) const;
  void set(const GtidEntry& gtid) { gtids_[gtid.domain] = gtid; }
  void erase(std::uint32_t domain) { gtids_.erase(domain); }
  bool empty() const { return gtids_.empty(); }
  std::size_t size() const { return gtids_.size(); }
  const std::map<std::uint32_t, GtidEntry>& by_domain() const { return gtids_; }
  std::string text() const;

 private:
  std::map<std::uint32_t, GtidEntry> gtids_;
};

// A server at `position` has executed everything that a server at `wanted` has.
bool covers(const GtidPosition& position, const GtidPosition& wanted);

class GtidHistory {
 public:
  static constexpr std::size_t kMaxEntries = 1 << 16;

  // Makes `gtid` its server's last and the last one of its domain. Returns false, and changes
  // nothing, beyond kMaxEntries.
  bool set(const GtidEntry& gtid);
  // The last sequence number of a server in a domain.
  std::optional<std::uint64_t> last_of(std::uint32_t domain, std::uint32_t server_id) const;
  // The GTID that was written last in a domain.
  std::optional<GtidEntry> last_in(std::uint32_t domain) const;
  // For a Gtid_list event: by domain, with the last one written at the end of its domain.
  std::vector<GtidEntry> list() const;
  // The position of a replica that has executed all of it.
  GtidPosition position() const;
  bool empty() const { return domains_.empty(); }

 private:
  // The newest entry is at the end; servers per domain are few.
  std::map<std::uint32_t, std::vector<GtidEntry>> domains_;
  std::size_t count_ = 0;
};

}  // namespace binlane

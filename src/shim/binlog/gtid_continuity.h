// Whether a binlog file continues where the previous file ended: the GTID state at that end is
// compared with the Gtid_list at the beginning of the next file. MariaDB's; MySQL's files are
// judged by MysqlGtidTrail. [S16, S24]
//
// The list must be the state, entry by entry. The one exception is FLUSH BINARY LOGS
// DELETE_DOMAIN_ID=(…): the next file's list then lacks whole domains. The server allows that only
// for domains to which no remaining binlog wrote, so a domain that this file wrote to cannot have
// been deleted that way.
//
// Pure, no allocation except in continuity_text(). The tailer, the scan at an incarnation's start
// and the feed all judge by this one function.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "shim/binlog/gtid_state.h"

namespace binlane {

enum class Continuity : std::uint8_t {
  unknown,          // there is nothing to compare: no list, no previous file, or too many entries
  follows,          // the list is the state
  domains_deleted,  // the list is the state less whole domains that the file did not write to
  differs,
};

// True when the next file belongs to the same stream. A list that lacks domains is only possible
// after a rotation within one run of the server: a server that starts keeps all of its domains.
constexpr bool continues(Continuity found, bool same_server_run) noexcept {
  return found == Continuity::unknown || found == Continuity::follows ||
         (found == Continuity::domains_deleted && same_server_run);
}

// `begin` and `end` are the file's GTID state at its own Gtid_list and after its last whole group,
// `next` is the next file's Gtid_list. Each holds a {domain, server id} at most once, in any order.
Continuity judge_continuity(std::span<const GtidEntry> begin, std::span<const GtidEntry> end,
                            std::span<const GtidEntry> next) noexcept;

// The first difference, for people: "the file ends with 0-1-17, but the next file begins after
// 0-1-20". Empty if there is none.
std::string continuity_text(std::span<const GtidEntry> end, std::span<const GtidEntry> next);

}  // namespace binlane

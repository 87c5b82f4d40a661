// GtidFilter: which event groups a replica that follows by GTID gets, and why it gets none.
//
// Pure logic: it is shown the archive's GTID history once and then every group's GTID in order. It
// decides as MariaDB's own dump thread does, with one difference. A real source refuses at once
// what is not in its binlog. This archive may for a moment lack what the replica already got from
// it (after a power cut it learns again what is released), so a GTID that is merely *ahead* is
// waited for: ahead() tells, and the caller bounds the wait. What cannot come any more is refused
// in the real source's words.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "shim/binlog/gtid_position.h"
#include "shim/feed/feed_event.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

// The replica's IO thread stops at this one, and shows it to its user …
inline constexpr std::uint16_t kFatalDumpError = 1236;
// … and connects again after any other.
inline constexpr std::uint16_t kTransientDumpError = 1105;

// A kFatalDumpError with this text.
inline mysql::ErrorPacket fatal_dump_error(std::string message) {
  return {kFatalDumpError, "HY000", std::move(message)};
}

struct GtidRequest {
  GtidPosition start;
  std::optional<GtidPosition> until;
  bool strict = false;
  bool ignore_duplicates = false;
  std::uint32_t replica_server_id = 0;
};

// Whether a replica at `position` needs nothing from before a file that begins with this Gtid_list.
bool needs_nothing_before(const GtidPosition& position, std::span<const GtidEntry> list);

class GtidFilter {
 public:
  explicit GtidFilter(GtidRequest request);

  // First: examines all that the archive holds. Returns the error with which to refuse the replica,
  // if any.
  std::optional<mysql::ErrorPacket> check_start(const GtidHistory& archive);
  // Then: the file to begin with was found, and begins with this Gtid_list.
  void begin(std::span<const GtidEntry> list);

  struct Verdict {
    bool send = false;
    std::optional<mysql::ErrorPacket> error;
  };
  // Then: every group of the stream, at its GTID event.
  Verdict on_group(const GtidEvent& event);

  // The replica has had nothing of what comes, except in domains that the archive does not know.
  bool start_reached() const;
  // A GTID the replica holds and the archive does not (yet); nothing of its domain can be sent.
  std::optional<GtidEntry> ahead_of() const;
  // The UNTIL condition holds; nothing more is to be sent once the open group is sent.
  bool finished() const { return until_ && until_->empty(); }
  // Once, at the end of the group with which a domain's start was reached: the replica has to move
  // its file position up to here.
  bool take_start_note();
  // All groups up to here, sent or not.
  const GtidHistory& seen() const { return seen_; }
  const GtidPosition& start() const { return start_; }

 private:
  enum class Kind : std::uint8_t {
    known,           // the archive holds it
    unknown_domain,  // the archive holds nothing of its domain
    tolerated,       // the archive does not hold it, and the replica said that it accepts this
    ahead,           // the archive does not hold it yet
  };

  Kind kind_of(const GtidEntry& gtid, const GtidHistory& archive,
               std::optional<mysql::ErrorPacket>& error);

  GtidPosition start_;  // domains whose start was not reached yet
  std::map<std::uint32_t, Kind> kinds_;
  std::optional<GtidPosition> until_;
  const bool strict_;
  const bool ignore_duplicates_;
  const std::uint32_t replica_server_id_;
  bool start_note_ = false;
  GtidHistory seen_;
};

}  // namespace binlane

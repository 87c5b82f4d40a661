// MysqlGtidSet: a set of MySQL GTIDs, such as gtid_executed, and what MySQL's functions on sets do.
//
// It reads and writes the three forms that MySQL has: the text, and the two binary encodings of
// Previous_gtids events and COM_BINLOG_DUMP_GTID. All of them may come from outside: sizes are
// bounded by kMaxIntervals, and what is malformed gives nothing. A plain value of one thread; for
// lanes, which must not allocate, there is MysqlGtidState.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "shim/binlog/mysql_gtid.h"
#include "shim/binlog/mysql_gtid_encoding.h"

namespace binlane {

class MysqlGtidSet {
 public:
  // Of one TSID: in order, none empty, with gaps between them.
  using Intervals = std::vector<GnoInterval>;

  static constexpr std::size_t kMaxIntervals = 1 << 16;

  // MySQL's text, as GTID_SUBTRACT and the servers' variables take it. Nothing if the server would
  // refuse it, or if it has more than kMaxIntervals intervals.
  static std::optional<MysqlGtidSet> parse(std::string_view text);
  // Exactly one set in either encoding, and nothing after it.
  static std::optional<MysqlGtidSet> decode(ConstBytes bytes);

  // Sorted, in one line: for logs, records and statements.
  std::string text() const;
  // The same as @@gtid_executed shows it, with a line for each UUID: for what the feed says in a
  // server's place.
  std::string server_text() const;
  // MySQL 8.3 and later write `tagged` everywhere. `plain` leaves out all GTIDs that have a tag.
  std::vector<std::byte> encode(MysqlGtidEncoding encoding) const;

  bool empty() const noexcept { return by_tsid_.empty(); }
  // Intervals in all.
  std::size_t size() const noexcept { return size_; }
  const std::map<MysqlTsid, Intervals>& by_tsid() const noexcept { return by_tsid_; }
  bool contains(const MysqlGtid& gtid) const noexcept;
  // GTID_SUBSET(other, *this).
  bool covers(const MysqlGtidSet& other) const noexcept;

  // Return false, and change nothing, when the set would have more than kMaxIntervals intervals.
  bool add(const MysqlGtid& gtid);
  bool add(const MysqlGtidSet& other);
  // GTID_SUBTRACT(*this, other).
  MysqlGtidSet minus(const MysqlGtidSet& other) const;
  // What this server wrote, with any tag.
  MysqlGtidSet of(const Uuid& uuid) const;

  bool operator==(const MysqlGtidSet&) const = default;

 private:
  std::string text_with(std::string_view separator) const;
  // Takes intervals in any order, and joins those that touch. Sorts all of the TSID's: once for
  // each TSID.
  void merge(const MysqlTsid& tsid, const Intervals& more);

  std::map<MysqlTsid, Intervals> by_tsid_;
  std::size_t size_ = 0;
};

}  // namespace binlane

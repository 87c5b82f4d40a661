#include "shim/feed/gtid_set_filter.h"

#include <fmt/format.h>

#include <string>

#include "base/assert.h"
#include "shim/feed/gtid_filter.h"

namespace binlane {
namespace {

// A server keeps what it says of an error within 512 bytes.
constexpr std::size_t kMaxError = 512;

}  // namespace

mysql::ErrorPacket purged_error(const MysqlGtidSet& held, const MysqlGtidSet& purged) {
  constexpr std::string_view kPurged =
      "Cannot replicate because the source purged required binary logs. Replicate the missing "
      "transactions from elsewhere, or provision a new replica from backup. Consider increasing "
      "the source's binary log expiration period. ";
  constexpr std::string_view kTooLong =
      "The GTID sets and the missing purged transactions are too long to print in this message. "
      "For more information, please see the source's error log or the manual for GTID_SUBTRACT";
  static_assert(kPurged.size() + kTooLong.size() <= kMaxError);
  const std::string sets =
      fmt::format("The GTID set sent by the replica is '{}', and the missing transactions are '{}'",
                  held.server_text(), purged.minus(held).server_text());
  const bool fits = kPurged.size() + sets.size() <= kMaxError;
  return fatal_dump_error(std::string(kPurged).append(fits ? std::string_view(sets) : kTooLong));
}

mysql::ErrorPacket more_gtids_error() {
  return fatal_dump_error(
      "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may "
      "indicate that the the last binary log file was truncated or lost, e.g., after a power "
      "failure when sync_binlog != 1. The source may have rolled back transactions that were "
      "already replicated to the replica. Replicate any transactions that source has rolled "
      "back from replica to source, and/or commit empty transactions on source to account for "
      "transactions that have been committed on source but are not included in "
      "GTID_EXECUTED.");
}

void GtidSetFilter::begin(const MysqlGtidSet& archive, const std::optional<Uuid>& writer) {
  if (!writer) return;
  // Only of the writer: another server's GTIDs may have come to the replica in some other way.
  ahead_ = held_.of(*writer).minus(archive);
}

bool GtidSetFilter::on_group(const MysqlGtid& gtid) {
  if (!held_.contains(gtid)) return true;
  if (!ahead_.empty()) {
    MysqlGtidSet came;
    BL_ASSERT(came.add(gtid));
    ahead_ = ahead_.minus(came);
  }
  return false;
}

}  // namespace binlane

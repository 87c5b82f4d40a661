#include "shim/feed/mysql_dump_rules.h"

#include <fmt/format.h>

#include <utility>

#include "base/mutant.h"
#include "shim/binlog/mysql_gtid_event.h"

namespace binlane {
namespace {

// The event's body without the checksum, or so much of it as there is.
ConstBytes body_of(const ArchivedEvent& event, bool checksums) {
  ConstBytes body = event.front.subspan(kEventHeaderSize);
  if (event.whole() && checksums && body.size() >= kEventChecksumSize)
    body = body.first(body.size() - kEventChecksumSize);
  return body;
}

}  // namespace

MysqlDumpRules::MysqlDumpRules(const DumpRequest& request, const ArchivePlace& place,
                               FeedLimit& limit)
    : place_(place),
      limit_(limit),
      dialogue_(*request.dialogue),
      source_id_(request.source_id),
      heartbeat_v2_((request.dump.flags & mysql::kDumpHeartbeatV2) != 0),
      replica_uuid_(request.replica_uuid),
      seeks_file_(request.held && request.dump.file.empty()) {
  if (request.held) filter_.emplace(*request.held);
}

std::optional<mysql::ErrorPacket> MysqlDumpRules::check_client(ArchiveGtids& gtids) {
  writer_ = gtids.newest_writer();
  // A real source leaves it to the replica to find this out, but the feed has a UUID of its own.
  if (!writer_ || !writer_->certain || writer_->uuid != replica_uuid_) return std::nullopt;
  return fatal_dump_error(
      "The replica has the source's server_uuid, so its own transactions and the source's would "
      "have the same GTIDs: its data folder was copied with auto.cnf. Stop the replica's server, "
      "remove auto.cnf from its data folder, and start it");
}

std::optional<mysql::ErrorPacket> MysqlDumpRules::find_start(ArchiveGtids& gtids, Position& start) {
  const auto found = gtids.find_start(filter_->held());
  if (found && found->number == 0 && !found->purged.empty())
    return purged_error(filter_->held(), found->purged);
  if (!found || found->number == 0)
    return mysql::ErrorPacket{kTransientDumpError, "HY000",
                              fmt::format("The feed cannot tell its GTID state: {}",
                                          found ? "nothing is released yet" : gtids.error())};
  const auto archived = gtids.named();
  // If that cannot be told, nobody is waited for.
  if (archived && archived->mysql() != nullptr)
    filter_->begin(*archived->mysql(), writer_ ? std::optional(writer_->uuid) : std::nullopt);
  first_group_held_ = found->first_group_held;
  start = {found->number, kBinlogMagicSize};
  return std::nullopt;
}

void MysqlDumpRules::begin_file(std::uint32_t number, bool from_its_beginning) {
  number_ = number;
  trail_.start_file(std::exchange(begun_, true));
  from_its_beginning_ = from_its_beginning;
  file_is_known_ = std::exchange(first_group_held_, false);
}

DumpRules::Verdict MysqlDumpRules::on_event(const ArchivedEvent& event, bool checksums,
                                            bool server_started) {
  static_cast<void>(server_started);  // its list is complete all the same
  if (is_list(event.header.type)) return {.gap = on_list(event, checksums)};
  if (!is_mysql_gtid(event.header.type)) return {};
  trail_.begin_group(event.header.type, body_of(event, checksums));
  Verdict verdict{.begins_group = true};
  if (!filter_) return verdict;
  const auto parsed = parse_mysql_gtid_event(event.front, checksums);
  if (!parsed) {
    verdict.error = fatal_dump_error("Failed to read Gtid_log_event: corrupt binlog");
  } else if (!parsed->gtid) {
    verdict.error = fatal_dump_error(fmt::format(
        "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file {}, position {}.",
        place_.file_name(number_), event.offset));
  } else {
    verdict.send = filter_->on_group(*parsed->gtid);
  }
  return verdict;
}

// What is wrong with it, for people, or nothing.
std::string MysqlDumpRules::on_list(const ArchivedEvent& event, bool checksums) {
  ConstBytes body = body_of(event, checksums);
  PreviousGtidsReader& list = trail_.list();
  list.begin(static_cast<std::uint32_t>(event.whole() ? body.size() : 0));
  while (list.wanted() != 0) {
    const std::uint32_t length = list.wanted();
    list.take(body.first(length));
    body = body.subspan(length);
  }
  const bool gap = !continues(trail_.end_list(), true);
  return BL_MUTANT(gap_between_files_fed, false, gap) ? trail_.difference() : std::string();
}

void MysqlDumpRules::before_next_file(ArchiveGtids& gtids, std::uint32_t number) {
  if (from_its_beginning_) return;
  // Its list was not read, and so not what it ends with.
  trail_.start_file(false);
  ArchiveReader reader(place_, limit_);
  if (!reader.open(number)) return;
  EventGroup group;
  bool checksums = false;
  ArchivedEvent event;
  while (!gtids.cancelled() && reader.next(event) == ArchiveReader::Step::event) {
    if (event.header.type == EventType::format_description) {
      const auto format = event.whole() ? parse_format_description(event.front) : std::nullopt;
      checksums = format && format->checksums;
      continue;
    }
    const auto step =
        group.take(event.header.type, statement_kind(event.header, event.front, checksums));
    if (is_list(event.header.type)) on_list(event, checksums);
    if (is_mysql_gtid(event.header.type))
      trail_.begin_group(event.header.type, body_of(event, checksums));
    if (step.ended) trail_.end_group();
  }
}

Event MysqlDumpRules::heartbeat(const std::string& file, std::uint64_t offset,
                                bool checksums) const {
  return heartbeat_v2_ ? make_heartbeat_v2(source_id_, file, offset, checksums)
                       : make_heartbeat(source_id_, file, offset, checksums);
}

std::optional<std::string> MysqlDumpRules::ahead_of() const {
  if (!filter_ || filter_->ahead_of().empty()) return std::nullopt;
  return filter_->ahead_of().text();
}

mysql::ErrorPacket MysqlDumpRules::still_ahead(const std::string& what) const {
  static_cast<void>(what);  // the log has it
  if (filter_ && !filter_->ahead_of().empty()) return more_gtids_error();
  return fatal_dump_error(std::string(dialogue_.beyond_end));
}

}  // namespace binlane

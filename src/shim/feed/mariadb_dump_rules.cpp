#include "shim/feed/mariadb_dump_rules.h"

#include <fmt/format.h>

#include <utility>

namespace binlane {
namespace {

// @mariadb_slave_capability of a replica that understands GTID events.
constexpr std::uint32_t kCapabilityGtid = 4;

}  // namespace

MariadbDumpRules::MariadbDumpRules(const DumpRequest& request)
    : source_id_(request.source_id), capability_(request.capability) {
  if (request.gtid) filter_.emplace(*request.gtid);
}

std::optional<mysql::ErrorPacket> MariadbDumpRules::check_client(ArchiveGtids&) {
  if (capability_ >= kCapabilityGtid) return std::nullopt;
  return fatal_dump_error(
      "The feed needs a replica that knows MariaDB's GTID events (MariaDB 10.0.2 on)");
}

std::optional<mysql::ErrorPacket> MariadbDumpRules::find_start(ArchiveGtids& gtids,
                                                               Position& start) {
  const auto history = gtids.history();
  if (!history)
    return mysql::ErrorPacket{
        kTransientDumpError, "HY000",
        fmt::format("The feed cannot tell its GTID state: {}", gtids.error())};
  if (auto error = filter_->check_start(*history)) return error;
  const auto file = gtids.find_start(filter_->start());
  if (!file) return fatal_dump_error(gtids.error());
  filter_->begin(file->gtid_list);
  start = {file->number, kBinlogMagicSize};
  return std::nullopt;
}

bool MariadbDumpRules::file_is_known() const {
  return filter_ && !filter_->start_reached();
}

DumpRules::Verdict MariadbDumpRules::on_event(const ArchivedEvent& event, bool checksums,
                                              bool server_started) {
  if (event.header.type == EventType::gtid_list)
    return on_gtid_list(event, checksums, server_started);
  if (event.header.type != EventType::gtid) return {};
  const auto gtid = parse_gtid_event(event.front);
  if (!gtid) return {.error = fatal_dump_error("Failed to read Gtid_log_event: corrupt binlog")};
  crossing_.on_group(gtid->gtid);
  Verdict verdict{.begins_group = true};
  if (!filter_) return verdict;
  auto judged = filter_->on_group(*gtid);
  verdict.send = judged.send;
  verdict.error = std::move(judged.error);
  return verdict;
}

DumpRules::Verdict MariadbDumpRules::on_gtid_list(const ArchivedEvent& event, bool checksums,
                                                  bool server_started) {
  if (std::exchange(list_seen_, true)) return {};
  if (!event.whole()) {
    crossing_.forget();  // more than is ever compared
    return {};
  }
  const auto list = parse_gtid_list(event.front, checksums);
  if (!list)
    return {.error = fatal_dump_error("Failed to read Gtid_list_log_event: corrupt binlog")};
  return {.gap = crossing_.on_gtid_list(*list, server_started)};
}

std::optional<Event> MariadbDumpRules::take_note(std::uint64_t offset, bool checksums) {
  if (!filter_ || !filter_->take_start_note()) return std::nullopt;
  return make_gtid_list(source_id_, filter_->seen().list(), 0, offset, checksums);
}

std::optional<Event> MariadbDumpRules::end_note(std::uint64_t offset, bool checksums) const {
  if (!filter_ || !filter_->finished()) return std::nullopt;
  return make_gtid_list(source_id_, filter_->seen().list(), kGtidListUntilReached, offset,
                        checksums);
}

void MariadbDumpRules::before_next_file(ArchiveGtids& gtids, std::uint32_t number) {
  if (crossing_.knows_file()) return;
  const auto here = gtids.file_start(number);
  if (!here || !here->gtid_list) return;
  if (const auto end = gtids.history_of_file(number)) crossing_.take_file(*here->gtid_list, *end);
}

Event MariadbDumpRules::heartbeat(const std::string& file, std::uint64_t offset,
                                  bool checksums) const {
  return make_heartbeat(source_id_, file, offset, checksums);
}

std::optional<std::string> MariadbDumpRules::ahead_of() const {
  const auto gtid = filter_ ? filter_->ahead_of() : std::nullopt;
  return gtid ? std::optional(to_string(*gtid)) : std::nullopt;
}

mysql::ErrorPacket MariadbDumpRules::still_ahead(const std::string& what) const {
  return {kTransientDumpError, "HY000", what};
}

}  // namespace binlane

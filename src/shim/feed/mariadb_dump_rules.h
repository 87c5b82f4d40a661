// MariadbDumpRules: DumpRules for the binlogs of a MariaDB server. GtidFilter decides what is sent,
// and FileCrossing whether files continue one another.
#pragma once

#include <optional>
#include <string>

#include "shim/feed/dump_rules.h"
#include "shim/feed/file_crossing.h"

namespace binlane {

class MariadbDumpRules final : public DumpRules {
 public:
  explicit MariadbDumpRules(const DumpRequest& request);

  std::optional<mysql::ErrorPacket> check_client(ArchiveGtids&) override;
  bool by_gtid() const noexcept override { return filter_.has_value(); }
  bool seeks_file() const noexcept override { return by_gtid(); }
  std::optional<mysql::ErrorPacket> find_start(ArchiveGtids& gtids, Position& start) override;
  void begin_file(std::uint32_t, bool) override { list_seen_ = false; }
  bool file_is_known() const override;
  bool is_list(EventType type) const noexcept override { return type == EventType::gtid_list; }
  Verdict on_event(const ArchivedEvent& event, bool checksums, bool server_started) override;
  void on_group_end() override {}
  std::optional<Event> take_note(std::uint64_t offset, bool checksums) override;
  // The note is a Gtid_list instead.
  bool tells_what_was_left_out() const noexcept override { return false; }
  std::optional<Event> end_note(std::uint64_t offset, bool checksums) const override;
  void before_next_file(ArchiveGtids& gtids, std::uint32_t number) override;
  bool ends_at_restart() const noexcept override { return true; }
  Event heartbeat(const std::string& file, std::uint64_t offset, bool checksums) const override;
  std::optional<std::string> ahead_of() const override;
  mysql::ErrorPacket still_ahead(const std::string& what) const override;

 private:
  Verdict on_gtid_list(const ArchivedEvent& event, bool checksums, bool server_started);

  const std::uint32_t source_id_;
  const std::uint32_t capability_;
  std::optional<GtidFilter> filter_;
  FileCrossing crossing_;
  bool list_seen_ = false;  // of this file
};

}  // namespace binlane

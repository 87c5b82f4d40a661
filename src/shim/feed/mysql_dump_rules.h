// MysqlDumpRules: DumpRules for the binlogs of a MySQL server. GtidSetFilter decides what is sent,
// and MysqlGtidTrail whether files continue one another. [S24]
#pragma once

#include <optional>
#include <string>

#include "shim/binlog/event_group.h"
#include "shim/binlog/mysql_gtid_trail.h"
#include "shim/feed/dump_rules.h"
#include "shim/feed/gtid_set_filter.h"

namespace binlane {

class MysqlDumpRules final : public DumpRules {
 public:
  // `limit` must outlive it.
  MysqlDumpRules(const DumpRequest& request, const ArchivePlace& place, FeedLimit& limit);

  std::optional<mysql::ErrorPacket> check_client(ArchiveGtids& gtids) override;
  bool by_gtid() const noexcept override { return filter_.has_value(); }
  bool seeks_file() const noexcept override { return seeks_file_; }
  std::optional<mysql::ErrorPacket> find_start(ArchiveGtids& gtids, Position& start) override;
  void begin_file(std::uint32_t number, bool from_its_beginning) override;
  bool file_is_known() const override { return file_is_known_; }
  bool is_list(EventType type) const noexcept override { return type == EventType::previous_gtids; }
  Verdict on_event(const ArchivedEvent& event, bool checksums, bool server_started) override;
  void on_group_end() override { trail_.end_group(); }
  std::optional<Event> take_note(std::uint64_t, bool) override { return std::nullopt; }
  bool tells_what_was_left_out() const noexcept override { return true; }
  std::optional<Event> end_note(std::uint64_t, bool) const override { return std::nullopt; }
  void before_next_file(ArchiveGtids& gtids, std::uint32_t number) override;
  // A replica of MySQL that reads on where its source was started anew does what it would have done
  // after connecting again.
  bool ends_at_restart() const noexcept override { return false; }
  Event heartbeat(const std::string& file, std::uint64_t offset, bool checksums) const override;
  std::optional<std::string> ahead_of() const override;
  mysql::ErrorPacket still_ahead(const std::string& what) const override;

 private:
  std::string on_list(const ArchivedEvent& event, bool checksums);

  const ArchivePlace place_;
  FeedLimit& limit_;
  const FeedDialogue& dialogue_;
  const std::uint32_t source_id_;
  const bool heartbeat_v2_;
  const std::optional<Uuid> replica_uuid_;
  const bool seeks_file_;
  std::optional<GtidSetFilter> filter_;
  std::optional<ArchiveGtids::Writer> writer_;
  MysqlGtidTrail trail_;
  bool from_its_beginning_ = false;  // all of the file being sent was read
  bool begun_ = false;               // a file was
  bool first_group_held_ = false;    // of the file to begin with
  bool file_is_known_ = false;
  std::uint32_t number_ = 0;  // of the file being sent
};

}  // namespace binlane

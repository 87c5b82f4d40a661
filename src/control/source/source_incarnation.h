// SourceIncarnation: a source over one run of its server: sessions with the replicas, exposures,
// fallback, polls of the server, and what the lane must know of these. Each incarnation is an
// object of its own, so nothing in it is ever reset. After its end it only shows what it was.
// Source's control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "control/config/config.h"
#include "control/exposure/exposure_broadcaster.h"
#include "control/fallback/fallback_turn.h"
#include "control/fallback/other_ackers.h"
#include "control/replica/stranger_watch.h"
#include "control/source/rule_keeper.h"
#include "control/source/server_watch.h"
#include "control/source/source_parts.h"
#include "control/source/transition_log.h"
#include "control/source/write_guard.h"
#include "control/stream/binlog_numbers.h"
#include "control/stream/incarnation_start.h"
#include "control/stream/slow_replicas.h"
#include "control/stream/source_log_view.h"
#include "control/stream/synced_tracker.h"

namespace binlane {

struct SourceView;

// What outlives an incarnation.
struct SourceHistory {
  ServerSight& sight;
  SourceTotals& totals;
  TransitionLog& transitions;
  StrangerWatch& strangers;
};

class SourceIncarnation {
 public:
  // What IncarnationStarter has found out.
  struct Begin {
    std::unique_ptr<BinlogFolder> files;
    RuleKeeper rule;
    Position safe;  // no replica may cut anything before it [S5]
    bool fresh = false;
    bool same_run = false;
    RestartProof restart;
    SourceHandshake::Identity identity;
    bool compares_names_as_text = false;  // the server does; see BinlogNumbers
    std::uint32_t newest_file = 0;
    bool read_only = false;  // the server was read-only when this incarnation began
  };

  // The caller has put this incarnation's state on record, and has set up the lane, which is
  // quiesced. Everything but `begin` must outlive this object.
  SourceIncarnation(SourceParts& parts, const Config& config, SourceHistory history, Begin begin);
  SourceIncarnation(const SourceIncarnation&) = delete;
  SourceIncarnation& operator=(const SourceIncarnation&) = delete;

  // One turn. Returns why and how the incarnation has ended, if it has. `may_lift`: read_only may
  // be lifted as soon as the fallback allows writes.
  std::optional<IncarnationEnd> turn(std::uint64_t now_ns, bool may_lift);
  // Ends it: no quorum completes any more.
  void end();
  bool ended() const noexcept { return ended_; }

  // --- what an operator asks for
  Fallback& fallback() noexcept { return fallback_; }
  const Fallback& fallback() const noexcept { return fallback_; }
  // Call it before the new rule is in the configuration.
  Status change_rule(const QuorumRule& next) { return rule_.change(next, parts_.lane, sessions_); }
  // Polls the server in the next turn, after a setting was changed or an action was carried out.
  void poll_soon() noexcept { next_poll_ns_ = 0; }
  // Puts on record that commits may wait AFTER_COMMIT from now on, where the engine has them before
  // they are answered. False: it is not on record, so they may not. [S12]
  bool expect_after_commit();

  const SessionManager& sessions() const noexcept { return sessions_; }
  const Position& synced() const noexcept { return synced_.synced(); }
  // The server was read-only at the start, and Binlane has not lifted that. On a host with a
  // replica's side, lifting it is Binlane's business. [S12]
  bool found_read_only() const noexcept { return read_only_; }
  // The last message to the lane about it was that commits are released without a quorum.
  bool degraded_told() const noexcept { return degraded_told_; }
  void show(SourceView& view) const;

 private:
  std::optional<IncarnationEnd> take_lane_events(std::uint64_t now_ns);
  void take_replies(std::uint64_t now_ns);
  bool refresh_log_view();
  std::optional<IncarnationEnd> poll_server(std::uint64_t now_ns);
  std::optional<IncarnationEnd> reconnect(std::uint64_t now_ns);
  void watch_wait_point(std::uint64_t polled_ns);
  void settle_waits(const SourceMarks& marks);
  void read_back(std::uint64_t now_ns);
  std::string mend(ServerSetting setting);
  OwnAcker own_acker() const;
  Position dump_position() const;
  bool registered() const;
  void watch_numbers(const SourceMarks& marks);
  void watch_slow(const SourceMarks& marks);
  std::optional<IncarnationEnd> sync_ourselves(const SourceMarks& marks, std::uint64_t now_ns);
  void run_fallback(const SourceMarks& marks);
  void note_registration();
  bool carry_out(const FallbackAction& action);
  bool switch_semi_sync(bool on);
  bool close_intervals(const Position& to);
  void tell_degraded(bool degraded);
  void lift_read_only(bool may_lift);
  void store_state(const SourceMarks& marks, std::uint64_t now_ns);

  SourceParts& parts_;
  const SourceConfig& source_;
  SourceHistory history_;
  const std::unique_ptr<BinlogFolder> files_;
  FileSourceLogView log_view_;
  SessionManager sessions_;
  ExposureBroadcaster exposures_;
  RuleKeeper rule_;
  Fallback fallback_;
  SyncedTracker synced_;
  AckerWatch acker_watch_;
  BinlogNumbers numbers_;
  ServerWatch server_watch_;
  SlowReplicas slow_;
  ReplicaSet slow_told_ = 0;
  std::optional<ServerPoll> new_poll_;  // the last one that the fallback has not seen
  // While commits wait AFTER_SYNC: since when this is known, and what was written until then.
  std::optional<std::uint64_t> after_sync_since_ns_;
  std::optional<std::uint64_t> written_before_;
  std::uint32_t mapped_file_ = 0;  // the newest file in the log view's map
  std::uint64_t next_poll_ns_ = 0;
  std::uint64_t next_store_ns_ = 0;
  std::uint64_t dump_connections_ = 0;  // the number of the last one that was logged
  bool read_only_ = false;
  bool degraded_told_ = false;
  bool ended_ = false;
  std::string lift_problem_;
};

}  // namespace binlane

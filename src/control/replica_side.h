// ReplicaSide: everything of a daemon that holds a source's stream: journal, lane, archive, feed,
// and the control thread that admits sources.
//
// Archive and feed belong to one stream. When the journal goes over to another stream (at a
// promotion elsewhere, or when this host rejoins), they are ended and made anew, while the lane
// stands still, on the control thread of the replica. Status reads them through a shared pointer,
// so it never sees half a set. What cannot be begun then (no folder, no descriptors, the feed's
// port taken) is begun as soon as it can be; at a start of the daemon it is a StartupError.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "control/applied_watch.h"
#include "control/archive_pruner.h"
#include "control/config.h"
#include "control/exposure_record.h"
#include "control/feed_glue.h"
#include "control/peer_config.h"
#include "control/replica_control.h"
#include "control/replica_lane.h"
#include "shim/binlog_server.h"
#include "storage/archive.h"
#include "storage/durable_record.h"
#include "storage/journal_file.h"

namespace binlane {

class ReplicaSide {
 public:
  // What belongs to one stream.
  struct StreamParts {
    TrackedGroups groups;
    std::unique_ptr<Archiver> archiver;
    std::unique_ptr<ArchiveFeedLimit> limit;
    std::unique_ptr<BinlogServer> feed;
    std::string folder;  // of the archived files
    // Null: nothing says where the local server is. Last, because its thread uses the others.
    std::unique_ptr<AppliedWatch> applied;
  };

  // Opens journal and archive. `port` outlives this. Throws StartupError.
  ReplicaSide(const Config& config, AnyPort& port);
  ~ReplicaSide();
  ReplicaSide(const ReplicaSide&) = delete;
  ReplicaSide& operator=(const ReplicaSide&) = delete;

  // Throws StartupError.
  void start();
  // In two steps, because the lane ends between them: nobody new is served; the archive is closed.
  void stop_serving();
  void stop_archive();

  // Settings' thread: the lane hears these from its next turn on. False: try again later.
  bool hear(const ReplicaSources& sources);
  // Any thread.
  ReplicaSources sources() const;

  ReplicaLane& lane() noexcept { return lane_; }
  JournalFile& file() noexcept { return *file_; }
  const JournalFile& file() const noexcept { return *file_; }
  ReplicaControl& control() noexcept { return *control_; }
  // Any thread. Never null.
  std::shared_ptr<const StreamParts> parts() const;
  std::string describe_disk() const { return lane_.describe_disk(); }

  // --- control thread of the replica ---
  // What the source released without a quorum, and whether this replica has diverged.
  ExposureRecord& exposures() noexcept { return *exposures_; }
  // The local server gets no more of this stream (S10).
  void stop_feed() { parts_->feed->stop(); }
  // Gives the journal over to `next` (null: to nobody yet). The lane stands still when this is
  // called. Empty, or what went wrong; the parts are those of the new stream then.
  std::string switch_stream(const StreamIdentity& next, Position sealed_at);
  // Binds a journal that is nobody's to `stream`; see JournalStore::set_stream for `learner`. The
  // same of the lane and of what is returned.
  std::string adopt_stream(const StreamIdentity& stream, const LogMark& learner);
  // Begins what could not be begun when the stream did, when it is time to try again.
  void begin_again(std::uint64_t now_ns);
  // Deletes what of the archives nobody needs any more, when it is time to.
  void prune_archive(std::uint64_t now_ns);
  // Any thread.
  ArchivePruner::View retention() const { return pruner_.view(); }
  void set_retention(const ReplicaConfig& replica);

 private:
  std::string folder_of(const StreamIdentity& stream, bool own_folder) const;
  std::shared_ptr<StreamParts> make_parts();
  std::string open_archive();
  std::string begin_parts();
  std::string begin_feed();
  void tell_begun(const std::string& problem);
  void end_parts();
  std::unique_ptr<AppliedWatch> make_applied_watch(const StreamParts& parts);
  bool tell_applied(const StreamParts& parts, Position executed);
  void replace_parts();

  const Config& config_;
  std::unique_ptr<JournalFile> file_;
  DurableRecord exposure_file_;
  std::optional<ExposureRecord> exposures_;  // always there
  ArchiveIo archive_io_;
  ArchivePruner pruner_;
  ReplicaSources sources_;  // guarded by mutex_ once made
  ReplicaLane lane_;
  mutable std::mutex mutex_;
  std::shared_ptr<StreamParts> parts_;  // guarded by mutex_
  std::unique_ptr<ReplicaControl> control_;
  bool started_ = false;
  // How far the parts have got: each value includes those before it. Control thread, once that
  // runs.
  enum class Begun : std::uint8_t { nothing, archive_open, archiver, feed, all };
  Begun begun_ = Begun::nothing;
  std::string begin_problem_;  // why they have not got further; empty: they have
  std::uint64_t next_begin_ns_ = 0;
};

}  // namespace binlane

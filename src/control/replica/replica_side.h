// ReplicaSide: what a daemon needs to hold a source's stream: the journal, the lane, the archive,
// the feed, and the control that admits sources. It works over a ReplicaPlatform, which is a real
// host or a simulated one.
//
// Archive and feed belong to one stream. When the journal switches to another stream (at a
// promotion elsewhere, or when this host rejoins), the replica's control thread quiesces the lane,
// ends both, and makes new ones. Status reads them through a shared pointer, so it never sees a set
// that is half replaced. A part that cannot begin at that moment (no folder, no descriptors, the
// feed's port is taken) is tried again every second. When the daemon starts, the same failure is a
// StartupError.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "control/config/config.h"
#include "control/config/peer_config.h"
#include "control/exposure/exposure_record.h"
#include "control/replica/archive_feed.h"
#include "control/replica/archive_pruner.h"
#include "control/replica/executed_watch.h"
#include "control/replica/replica_control.h"
#include "control/replica/replica_lane.h"
#include "control/replica/replica_platform.h"
#include "shim/binlog/gtid_set.h"
#include "shim/feed/feed.h"
#include "storage/archive/archive.h"
#include "storage/journal/journal_store.h"

namespace binlane {

class ReplicaSide {
 public:
  // What belongs to one stream; replaced as a whole.
  struct StreamParts {
    TrackedGroups groups;
    std::unique_ptr<Archiver> archiver;
    std::unique_ptr<ArchiveFeedLimit> limit;
    std::unique_ptr<Feed> feed;
    std::string folder;  // of the archived files
    // Null if the configuration does not name the local server. The last member, because its thread
    // uses the others.
    std::unique_ptr<ExecutedWatch> applied;
  };

  // Opens the archive. `config` and `platform` must outlive this object. Throws StartupError.
  ReplicaSide(const Config& config, ReplicaPlatform& platform);
  ~ReplicaSide();
  ReplicaSide(const ReplicaSide&) = delete;
  ReplicaSide& operator=(const ReplicaSide&) = delete;

  // Begins archive, feed and control thread. Throws StartupError.
  void start();
  // The end has two steps, because the lane ends between them: first control, feed and watch end,
  // so that no new client is served; then the archive is closed.
  void stop_serving();
  void stop_archive();

  // Thread of the settings: from its next turn on the lane accepts datagrams from these sources
  // only. Returns false if the lane's queue is full; the caller tries again later.
  bool hear(const ReplicaSources& sources);
  // Any thread.
  ReplicaSources sources() const;

  ReplicaLane& lane() noexcept { return platform_.lane(); }
  JournalStore& store() noexcept { return platform_.store(); }
  ReplicaPlatform& platform() noexcept { return platform_; }
  ReplicaControl& control() noexcept { return *control_; }
  // Any other thread: runs `work` on the replica's control thread, between two turns, and waits
  // until it is done. Returns false if that thread has ended.
  [[nodiscard]] bool call(const std::function<void()>& work);
  // Any thread. Never null.
  std::shared_ptr<const StreamParts> parts() const;
  // The archived files of the stream that the journal holds. Any ordinary thread.
  ArchivePlace archive_place();
  std::unique_ptr<BinlogFolder> open_archive_files();
  // What the local server can have executed of what the feed gave it, now or before. Reads the
  // newest archived file: seconds, for a large one. Failed: why that cannot be told. Any ordinary
  // thread.
  Result<GtidSet> fed_gtids();
  // The kind of the server that writes the archived binlogs. Failed: nothing is archived yet.
  Result<GtidGrammar> archived_kind();

  // --- control thread of the replica ---
  // What the source released without a quorum, and whether this replica has diverged.
  ExposureRecord& exposures() noexcept { return *exposures_; }
  // The local server gets no more of this stream. [S10]
  void stop_feed() { parts_->feed->stop(); }
  // The journal gives up its stream, which was sealed at `sealed_at`, and belongs to `next` (null:
  // to no stream yet). The caller has quiesced the lane. If the result is ok, the parts are those
  // of the new stream; otherwise those of the old one begin again.
  Status switch_stream(const StreamIdentity& next, Position sealed_at);
  // Binds a journal that belongs to no stream to `stream`. JournalStore::set_stream() explains
  // `learner`. The caller has quiesced the lane.
  Status adopt_stream(const StreamIdentity& stream, const LogMark& learner);
  // Tries again, once a second, to begin the parts that could not begin.
  void begin_again(std::uint64_t now_ns);
  // Deletes archived files that nobody needs any more, if a round of the pruner is due.
  void prune_archive(std::uint64_t now_ns);
  // Any thread.
  ArchivePruner::View retention() const { return pruner_.view(); }
  void set_retention(const RetentionPolicy& policy) { pruner_.set_policy(policy); }

 private:
  std::string folder_of(const StreamIdentity& stream, bool own_folder) const;
  std::shared_ptr<StreamParts> make_parts();
  std::string open_archive();
  std::string begin_parts();
  std::string begin_feed();
  void tell_begun(const std::string& problem);
  void end_parts();
  std::unique_ptr<ExecutedWatch> make_executed_watch(const StreamParts& parts);
  bool tell_applied(const StreamParts& parts, Position executed);
  void replace_parts();

  const Config& config_;
  ReplicaPlatform& platform_;
  std::optional<ExposureRecord> exposures_;  // always has a value
  ArchivePruner pruner_;
  ReplicaSources sources_;  // guarded by mutex_ after the constructor
  mutable std::mutex mutex_;
  std::shared_ptr<StreamParts> parts_;  // guarded by mutex_
  std::unique_ptr<ReplicaControl> control_;
  bool started_ = false;
  // How many of the parts have begun; each value includes those before it. Belongs to the control
  // thread once that runs.
  enum class Begun : std::uint8_t { nothing, archive_open, archiver, feed, all };
  Begun begun_ = Begun::nothing;
  std::string begin_problem_;  // why the next part could not begin; empty if it could
  std::uint64_t next_begin_ns_ = 0;
};

// How long archived files are kept, by the keys of [replica].
RetentionPolicy retention_policy(const ReplicaConfig& replica);

}  // namespace binlane

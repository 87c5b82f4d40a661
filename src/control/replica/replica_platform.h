// ReplicaPlatform: what ReplicaSide needs from the outside: the journal's medium, the lane, the
// archive's files, the server that is fed, and the threads.
//
// SystemReplicaPlatform is a real host. The simulator's platform has model disks and virtual time,
// and runs everything in turns on one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "control/replica/applied_watch.h"
#include "control/replica/executed_watch.h"
#include "control/replica/replica_lane.h"
#include "control/stream/binlog_folders.h"
#include "shim/feed/feed.h"
#include "shim/feed/feed_limit.h"
#include "storage/archive/archive.h"
#include "storage/archive/archive_io.h"
#include "storage/journal/journal_store.h"

namespace binlane {

class ReplicaPlatform {
 public:
  ReplicaPlatform() = default;
  ReplicaPlatform(const ReplicaPlatform&) = delete;
  ReplicaPlatform& operator=(const ReplicaPlatform&) = delete;
  virtual ~ReplicaPlatform() = default;

  virtual JournalStore& store() = 0;
  virtual ReplicaLane& lane() = 0;
  // The archive's files: as the archiver writes them, and as binlog folders for readers.
  virtual ArchiveIo& files() = 0;
  virtual BinlogFolders& folders() = 0;
  // The record of exposures: what is stored, if anything; and a store, which returns 0 once the
  // bytes are on stable storage, or an errno, which is final.
  virtual std::optional<std::vector<std::byte>> load_exposures() = 0;
  virtual int store_exposures(ConstBytes bytes) = 0;

  // `limit` must outlive the result. `tell` reports a new executed position, and returns false if
  // it has to be reported again later (see AppliedWatch).
  virtual std::unique_ptr<Feed> make_feed(FeedOptions options, FeedLimit& limit) = 0;
  virtual std::unique_ptr<ExecutedWatch> make_executed_watch(
      AppliedWatch::Options options, FeedLimit& limit, std::function<bool(Position)> tell) = 0;

  // `archiver` works from now on, until it is stopped. Returns an empty string, or why it does not
  // work; it may be called again then.
  virtual std::string start_archiver(Archiver& archiver) = 0;
  // Calls `turn` every few milliseconds on the replica's control thread, until stop_control().
  virtual void start_control(std::function<void()> turn) = 0;
  virtual void stop_control() = 0;
  // Any other thread: runs `work` on the control thread, between two turns, and waits until it is
  // done. Returns false if that thread has ended.
  [[nodiscard]] virtual bool call(const std::function<void()>& work) = 0;
};

}  // namespace binlane

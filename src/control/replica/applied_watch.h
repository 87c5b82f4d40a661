// AppliedWatch: asks the replica's own server how much it has executed of what the feed gave it,
// for quorum rules of level `applied`.
//
// An ordinary thread with its own connection to the server. It reads the archive's event groups as
// the feed does, waits in the server for the first one that is not executed (MASTER_GTID_WAIT, in
// slices), and reports each step as a position in the source's binlog. It relies on gtid_slave_pos,
// which the server advances after the commit is visible. The object belongs to one stream
// (ReplicaSide::StreamParts).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/position.h"
#include "control/replica/executed_watch.h"
#include "shim/feed/applied_groups.h"
#include "shim/feed/feed_limit.h"
#include "shim/feed/group_reader.h"
#include "shim/server/server_connection.h"

namespace binlane {

class AppliedWatch final : public ExecutedWatch {
 public:
  struct Options {
    ServerAccount account;
    std::string archive_dir;
    std::function<std::string()> basename;  // empty while there is no stream
    // Whether commits wait for this mark. If not, the server is asked ten times a second only.
    std::function<bool()> awaited;
  };

  // `limit` must outlive this object. `tell` gets every new executed position, on this thread. If
  // it returns false, the position is reported again later.
  AppliedWatch(Options options, FeedLimit& limit, std::function<bool(Position)> tell);
  ~AppliedWatch() override;

  // Returns an empty string, or why the thread could not be started.
  std::string start() override;
  void stop() override;
  std::optional<Position> executed() const override;

 private:
  void run();
  void work();
  void show_executed();
  bool begin();
  bool read_groups();
  std::optional<GtidSet> ask_server();
  std::optional<GtidSet> failed(const std::string& problem);
  void pause(std::chrono::milliseconds length);
  bool stopping() const;

  const Options options_;
  FeedLimit& limit_;
  const std::function<bool(Position)> tell_;
  ServerConnection connection_;
  std::optional<GroupReader> reader_;  // has a value once it is known where to begin
  AppliedGroups groups_;
  Position executed_;
  Position told_;
  std::string problem_;  // the last one that was logged; empty after a success
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;    // guarded by mutex_
  Position shown_executed_;  // guarded by mutex_
  std::thread thread_;
};

// The number of units of the linear stream from `from` to `to`: one for each byte, and one for each
// end of a file. `size_of` returns a complete file's size; where it returns nothing, so does this.
std::optional<std::uint64_t> units_between(
    Position from, Position to,
    const std::function<std::optional<std::uint64_t>(std::uint32_t)>& size_of);

}  // namespace binlane

// AppliedWatch: asks the replica's own server how far it has executed what the feed gave it, for
// quorum rules of level `applied`.
//
// An ordinary thread with a connection of its own. It reads the archive's event groups behind the
// feed, waits in the server for the first that is not executed (MASTER_GTID_WAIT, in slices), and
// tells every step in positions of the source's binlog. It goes by gtid_slave_pos, which the server
// moves after the commit is visible. Belongs to one stream (ReplicaSide::StreamParts).
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
#include "shim/applied_groups.h"
#include "shim/feed_limit.h"
#include "shim/group_reader.h"
#include "shim/server_connection.h"

namespace binlane {

class AppliedWatch {
 public:
  struct Options {
    ServerAccount account;
    std::string archive_dir;
    std::function<std::string()> basename;  // empty while there is no stream
    // Somebody's commits wait for it; otherwise the server is asked ten times a second.
    std::function<bool()> awaited;
  };

  // `limit` outlives this. `tell` gets every new position that is executed, on this thread; false:
  // it cannot be told yet, and comes again.
  AppliedWatch(Options options, FeedLimit& limit, std::function<bool(Position)> tell);
  ~AppliedWatch();
  AppliedWatch(const AppliedWatch&) = delete;
  AppliedWatch& operator=(const AppliedWatch&) = delete;

  // Empty, or why there is no thread; it may be called again then.
  std::string start();
  void stop();
  // Any thread: what the server has executed of this stream ends here; nothing before it has
  // answered.
  std::optional<Position> executed() const;

 private:
  void run();
  void work();
  void show_executed();
  bool begin();
  bool read_groups();
  std::optional<GtidPosition> ask_server();
  std::optional<GtidPosition> failed(const std::string& problem);
  void pause(std::chrono::milliseconds length);
  bool stopping() const;

  const Options options_;
  FeedLimit& limit_;
  const std::function<bool(Position)> tell_;
  ServerConnection connection_;
  std::optional<GroupReader> reader_;  // once it is known where to begin
  AppliedGroups groups_;
  Position executed_;
  Position told_;
  std::string problem_;  // as last logged
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;    // guarded by mutex_
  Position shown_executed_;  // guarded by mutex_
  std::thread thread_;
};

// How many units of the linear stream lie between two positions, `from` first: bytes, and one for
// every end of a file. `size_of` tells a complete file's size, or nothing.
std::optional<std::uint64_t> units_between(
    Position from, Position to,
    const std::function<std::optional<std::uint64_t>(std::uint32_t)>& size_of);

}  // namespace binlane

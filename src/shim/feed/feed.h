// BinlogServer: hands the archive to the local, unmodified replica server, which connects to it as
// to its source (CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=…).
//
// One ordinary thread accepts, and one serves each client; a slow or dead client holds up its own
// thread alone. It serves whole released event groups and never more (I7): the only place that
// knows how far that is, is the FeedLimit. Semi-sync is not offered: the replica follows
// asynchronously, because the journal has acknowledged the bytes long before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/position.h"
#include "base/secret.h"
#include "shim/archive_reader.h"
#include "shim/feed_limit.h"

namespace binlane {

// A stream before the archive's own: complete, and ended for good by a promotion.
struct SealedFeed {
  ArchivePlace place;
  Position end;
};

struct FeedOptions {
  std::string listen = "127.0.0.1:3401";  // IPv4 or [IPv6] address and port; port 0: any free one
  std::string user;
  Secret password;
  std::string archive_dir;
  // The basename of the archived files ("binlog"), empty while it is not known yet. Called by every
  // thread of the server.
  std::function<std::string()> basename;
  // The streams before, oldest first. A replica that follows by GTID gets what it misses of them,
  // and then goes on in the archive.
  std::vector<SealedFeed> sealed;
  // What a client sees as the source's server id. 0: the one in the archive's newest format
  // description event, which is the source's own.
  std::uint32_t server_id = 0;
  // Logged in. Strangers take no place of theirs: kMaxStrangers, of which the oldest goes for a new
  // one.
  std::uint32_t max_clients = 16;
  static constexpr std::uint32_t kMaxStrangers = 4;
};

struct FeedClientStatus {
  std::uint64_t connection_id = 0;
  std::string address;
  std::uint32_t server_id = 0;  // of the replica; 0 before its dump began
  bool dumping = false;
  bool sealed = false;  // of a stream before the archive's own; `position` is of that one then
  bool by_gtid = false;
  bool ahead = false;  // it has asked for more than the archive holds, and waits for it
  Position position;   // behind the last event sent
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
};

struct FeedStatus {
  std::string listening;  // "127.0.0.1:3401", with the real port
  // Why it does not listen, or takes nobody; empty while nobody wants it to, or it does.
  std::string problem;
  std::vector<FeedClientStatus> clients;
  // Since start.
  std::uint64_t accepted = 0;
  std::uint64_t refused_full = 0;     // max_clients were connected
  std::uint64_t refused_logins = 0;   // wrong user or password, or no valid login at all
  std::uint64_t dropped_logins = 0;   // had not logged in when others wanted to
  std::uint64_t dumps = 0;            // begun
  std::uint64_t refused_dumps = 0;    // ended with an error told to the replica
  std::uint64_t stalled_clients = 0;  // dropped because they took no bytes for too long
  std::uint64_t broken_clients = 0;   // dropped because they broke the protocol
  std::uint64_t superseded = 0;       // dumps ended by a newer one of the same server id
  std::uint64_t restarts = 0;         // dumps ended because the source was started anew
  std::uint64_t heartbeats = 0;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::string last_error;  // the newest error told to a replica
  std::string gap;         // where an archived file does not go on in the next one
};

class BinlogServer {
 public:
  // `limit` outlives the server.
  BinlogServer(FeedOptions options, FeedLimit& limit);
  BinlogServer(const BinlogServer&) = delete;
  BinlogServer& operator=(const BinlogServer&) = delete;
  // Stops.
  ~BinlogServer();

  // Binds and begins to accept. Empty, or why it does not, which status() shows as well; it may be
  // called again then.
  std::string start();
  // Ends every connection and thread, within a fraction of a second. Idempotent.
  void stop();
  // Any thread, also before start() and after stop().
  FeedStatus status() const;
  // The port it listens on; 0 before start().
  std::uint16_t port() const noexcept;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace binlane

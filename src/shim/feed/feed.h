// Feed: what gives the archive to the replica's own server. BinlogServer does so over MySQL's
// protocol; the simulator's server takes whatever it may have.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/position.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "shim/feed/archive_reader.h"

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
  // The basename of the archived files ("binlog"); empty while it is not known yet. Every thread of
  // the server calls it.
  std::function<std::string()> basename;
  // The streams before, oldest first. A replica that follows by GTID gets what it lacks of them,
  // and then continues in the archive.
  std::vector<SealedFeed> sealed;
  // The origin id of the archive's stream, from which the server uuid is made that MySQL's clients
  // see.
  Uuid origin;
  // The source's server id that clients see. 0: the one in the archive's newest format description
  // event, which is the source's own.
  std::uint32_t server_id = 0;
  // Clients that have logged in. Strangers do not use these places; they have kMaxStrangers, of
  // which a new one replaces the oldest.
  std::uint32_t max_clients = 16;
  static constexpr std::uint32_t kMaxStrangers = 4;
};

struct FeedClientStatus {
  std::uint64_t connection_id = 0;
  std::string address;
  std::uint32_t server_id = 0;  // of the replica; 0 before its dump began
  bool dumping = false;
  bool sealed = false;  // of a stream before the archive's own; `position` is then in that stream
  bool by_gtid = false;
  bool ahead = false;  // it has asked for more than the archive holds, and waits for that
  Position position;   // after the last event sent
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
};

struct FeedStatus {
  std::string listening;  // "127.0.0.1:3401", with the real port
  // Why it does not listen, or accepts nobody; empty if it does, or if nobody wants it to.
  std::string problem;
  std::vector<FeedClientStatus> clients;
  // Since start.
  std::uint64_t accepted = 0;
  std::uint64_t refused_full = 0;     // max_clients were connected
  std::uint64_t refused_logins = 0;   // wrong user or password, or no valid login at all
  std::uint64_t dropped_logins = 0;   // had not logged in when others needed the place
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

class Feed {
 public:
  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  virtual ~Feed() = default;

  // Empty, or why it gives nothing, which status() shows as well; it may be called again then.
  virtual std::string start() = 0;
  // Nobody is given anything any more when it returns. Idempotent.
  virtual void stop() = 0;
  // Any thread, also before start() and after stop().
  virtual FeedStatus status() const = 0;
};

}  // namespace binlane

// FeedSession: one client of the feed from its login to its end. The connection's thread runs it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "shim/archive_reader.h"
#include "shim/binlog_server.h"
#include "shim/dump_session.h"
#include "shim/feed_client.h"
#include "shim/feed_query.h"

namespace binlane {

// What the sessions share.
struct FeedShared {
  const FeedOptions& options;
  FeedLimit& limit;
  FeedCounters& counters;
  SourceRestarts& restarts;
  // Ends the older dumps of this client's server id.
  std::function<void(const FeedClient&)> supersede;
  // Ends the connection of this id; false when there is none.
  std::function<bool(std::uint64_t)> kill;
  std::uint64_t started_ns = 0;
};

class FeedSession {
 public:
  FeedSession(FeedClient& client, const FeedShared& shared);

  void run();

 private:
  bool login();
  std::uint64_t login_time_left() const;
  bool check_token(const mysql::HandshakeResponse& response,
                   const std::array<std::byte, mysql::kChallengeSize>& challenge);
  // These return whether the session goes on.
  bool send_statistics();
  bool serve_command();
  bool serve_query(std::string_view sql);
  bool serve_register(ConstBytes body);
  bool serve_dump(ConstBytes body);
  bool dump_sealed(DumpRequest& request, bool& goes_on);
  bool send(ConstBytes payload);
  bool send_error(std::uint16_t code, std::string state, std::string message);
  void count_failure(PacketSocket::Status status);

  // Waits, for a bounded time, until `ready` is true; asked again whenever the archive has grown.
  bool wait_until(const std::function<bool()>& ready);
  std::optional<ArchivePlace> place() const;
  std::optional<SourceFacts> source();
  std::optional<SourceFacts> source_of(const ArchivePlace& place, FeedLimit& limit);
  std::optional<std::vector<ServedFile>> files();
  std::optional<std::optional<std::string>> gtid_position(const std::string& file,
                                                          std::uint64_t offset);

  FeedClient& client_;
  const FeedShared& shared_;
  FeedQueries queries_;
};

}  // namespace binlane

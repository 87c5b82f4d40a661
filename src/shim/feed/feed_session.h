// FeedSession: one client of the feed from its login to its end. The connection's thread runs it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "shim/feed/archive_facts.h"
#include "shim/feed/binlog_server.h"
#include "shim/feed/dump_session.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_line.h"
#include "shim/feed/feed_query.h"

namespace binlane {

// What the sessions share.
struct FeedShared {
  const FeedOptions& options;
  FeedLimit& limit;
  FeedCounters& counters;
  SourceRestarts& restarts;
  // Ends the older dumps of this client's server id.
  std::function<void(const FeedClient&)> supersede;
  // Ends the connection of this id; false if there is none.
  std::function<bool(std::uint64_t)> kill;
  std::uint64_t started_ns = 0;
};

class FeedSession {
 public:
  FeedSession(FeedClient& client, const FeedShared& shared);

  void run();

 private:
  // These return whether the session continues.
  bool send_statistics();
  bool serve_command();
  bool serve_query(std::string_view sql);
  bool serve_register(ConstBytes body);
  bool serve_dump(ConstBytes body);
  bool serve_dump_gtid(ConstBytes body);
  bool run_dump(mysql::BinlogDump dump, std::optional<MysqlGtidSet> held);
  bool malformed();
  bool refuse_dump(std::uint16_t code, std::string message);
  // Takes what the client said of GTIDs before its dump; if that is nonsense, it was told so, and
  // `connected` says whether it is still there.
  bool take_gtid_request(DumpRequest& request, bool& connected);
  bool dump_sealed(DumpRequest& request, bool& goes_on);
  // Nothing also if this client was greeted in the manner of another server, before anything told
  // which one this archive is of: it has to connect again.
  std::optional<SourceFacts> source();

  FeedClient& client_;
  const FeedShared& shared_;
  FeedLine line_;
  ArchiveFacts facts_;
  const FeedGreeting greeting_;
  FeedQueries queries_;
};

}  // namespace binlane

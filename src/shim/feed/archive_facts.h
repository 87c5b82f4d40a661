// ArchiveFacts: what a client of the feed may ask of the archive besides its events: whose it is,
// which files there are, and the GTID state at a place. The connection's thread asks.
//
// An archive that has just begun, or that is behind the replica for a moment, is waited for: an
// answer that is late is better than a wrong one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/feed/archive_gtids.h"
#include "shim/feed/archive_reader.h"
#include "shim/feed/binlog_server.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_query.h"

namespace binlane {

class ArchiveFacts {
 public:
  ArchiveFacts(FeedClient& client, const FeedOptions& options, FeedLimit& limit)
      : client_(client), options_(options), limit_(limit) {}

  // Where the archive of the present stream is; nothing before there is one.
  std::optional<ArchivePlace> place() const;
  // The rest is nothing, or false, if the archive did not come within 45 s or the client ended.
  std::optional<SourceFacts> source();
  std::optional<std::vector<ServedFile>> files();
  std::optional<std::string> gtid_set(FeedSet set);
  // As much as is known now.
  FeedGreeting greeting();
  // An empty text inside: NULL, as a source answers for a file that it lacks.
  std::optional<std::optional<std::string>> gtid_position(const std::string& file,
                                                          std::uint64_t offset);
  // Until something of the present stream may be sent.
  bool wait_for_stream();

  // Where the part of a sealed stream ends that clients are given: the seal may be within a group.
  // [S2]
  static Position whole_groups_of(const SealedFeed& sealed);

 private:
  // Waits, for a bounded time, until `ready` is true; asked again whenever the archive has grown.
  bool wait_until(const std::function<bool()>& ready);
  // The beginning of the newest file, of the present stream or of the one before it.
  std::optional<FileStart> newest_start();
  std::optional<FileStart> newest_start(const ArchivePlace& place, FeedLimit& limit);

  FeedClient& client_;
  const FeedOptions& options_;
  FeedLimit& limit_;
};

}  // namespace binlane

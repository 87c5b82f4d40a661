// BinlogServer: serves the archive to the local, unmodified replica server, which connects to it as
// to its source (CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=…).
//
// One ordinary thread accepts, and one serves each client, so a slow or dead client delays its own
// thread alone. The server serves whole released event groups and never more; only the FeedLimit
// knows how far that is. [I7] It does not offer semi-sync: the replica follows asynchronously,
// because the journal has acknowledged the bytes long before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shim/feed/feed.h"
#include "shim/feed/feed_limit.h"

namespace binlane {

class BinlogServer final : public Feed {
 public:
  // `limit` must outlive the server.
  BinlogServer(FeedOptions options, FeedLimit& limit);
  // Stops.
  ~BinlogServer() override;

  // Binds and begins to accept. Returns nothing, or why it does not, which status() shows as well;
  // it may be called again then.
  std::string start() override;
  // Ends every connection and thread, within a fraction of a second. Idempotent.
  void stop() override;
  // Any thread, also before start() and after stop().
  FeedStatus status() const override;
  // The port it listens on; 0 before start().
  std::uint16_t port() const noexcept;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace binlane

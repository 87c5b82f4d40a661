// FeedLogin: the greeting of the feed and the check of who answers it. The connection's thread runs
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "shim/feed/binlog_server.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_dialogue.h"
#include "shim/feed/feed_line.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

class FeedLogin {
 public:
  FeedLogin(FeedClient& client, const FeedOptions& options, const FeedGreeting& greeting,
            FeedLine& line)
      : client_(client), options_(options), greeting_(greeting), line_(line) {}

  // Whether the client is the one that the configuration names; if not, it was told so as far as it
  // listened.
  bool run();

 private:
  std::uint64_t time_left() const;
  // By which plugin the client's token was made; empty if it was made by one that is not known
  // here.
  std::string_view plugin_of(const mysql::HandshakeResponse& response) const;
  bool check_token(const mysql::HandshakeResponse& response,
                   const std::array<std::byte, mysql::kChallengeSize>& challenge);

  FeedClient& client_;
  const FeedOptions& options_;
  const FeedGreeting& greeting_;
  FeedLine& line_;
};

}  // namespace binlane

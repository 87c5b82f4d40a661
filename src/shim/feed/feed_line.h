// FeedLine: what is said to one client of the feed between its dumps, and what is counted when that
// fails. The connection's thread runs it.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "shim/feed/feed_client.h"

namespace binlane {

class FeedLine {
 public:
  FeedLine(FeedClient& client, FeedCounters& counters) : client_(client), counters_(counters) {}

  // These return whether the connection continues.
  bool send(ConstBytes payload);
  bool send_error(std::uint16_t code, std::string state, std::string message);

  void count_failure(PacketSocket::Status status);
  void count_refused_login();

 private:
  FeedClient& client_;
  FeedCounters& counters_;
};

}  // namespace binlane

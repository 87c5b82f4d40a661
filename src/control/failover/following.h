// Whether a server replicates from the feed on its host, according to SHOW SLAVE STATUS
// (MySQL: SHOW REPLICA STATUS). Pure.
#pragma once

#include <cstdint>
#include <string>

#include "control/config/config.h"
#include "shim/feed/feed.h"
#include "shim/server/server_connection.h"

namespace binlane {

// Where this host's server finds its feed.
FeedAddress feed_address(const ReplicaConfig& replica);

// Empty if the server's IO thread is connected to 127.0.0.1 at `feed_port`; otherwise what it does
// instead, with the server's own last error. The text completes "waits for …".
std::string following_problem(const ServerWords& words, const QueryResult& status,
                              std::uint16_t feed_port);

// The connection on which the feed sends its present stream to the server of that id; 0: there is
// none, although the server may be connected. The feed has nothing to send before something of the
// stream was released, and refuses a server that asks for what it does not have; both end the
// connection. An idle source's stream is sent, too: its first file has a beginning.
std::uint64_t serving_connection(const FeedStatus& feed, std::uint32_t server_id);

// As following_problem(), for a server that should have been connected for long, and that must
// execute what it gets. The text is a sentence, with the statements that help.
std::string replication_problem(const ServerWords& words, const QueryResult& status,
                                std::uint16_t feed_port);

}  // namespace binlane

// Whether a server replicates from the feed on its host, according to SHOW SLAVE STATUS
// (MySQL: SHOW REPLICA STATUS). Pure.
#pragma once

#include <cstdint>
#include <string>

#include "control/config/config.h"
#include "shim/server/server_connection.h"

namespace binlane {

// Where this host's server finds its feed.
FeedAddress feed_address(const ReplicaConfig& replica);

// Empty if the server's IO thread is connected to 127.0.0.1 at `feed_port`; otherwise what it does
// instead, with the server's own last error. The text completes "waits for …".
std::string following_problem(const ServerWords& words, const QueryResult& status,
                              std::uint16_t feed_port);

// The same for a server that should have been connected for long, and that must execute what it
// gets. The text is a sentence,
// with the statements that help.
std::string replication_problem(const ServerWords& words, const QueryResult& status,
                                std::uint16_t feed_port);

}  // namespace binlane

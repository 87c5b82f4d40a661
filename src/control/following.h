// Whether a server follows the feed beside it, by what SHOW SLAVE STATUS answers. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "shim/server_connection.h"

namespace binlane {

// Empty when its IO thread is connected to 127.0.0.1 at `feed_port`; otherwise what it does
// instead, with its own last error.
std::string following_problem(const QueryResult& slave_status, std::uint16_t feed_port);

// The same of a server that should have long been following, and whether it executes what it gets.
std::string replication_problem(const QueryResult& slave_status, std::uint16_t feed_port);

}  // namespace binlane

// What the answer of `binlane fence` says of the server and its clients. It claims only what is
// known: nobody knows what a server that has ended told its clients before.
#pragma once

#include <cstdint>
#include <string>

#include "control/source/source_server.h"

namespace binlane {

// What becomes of the server of a source that is fenced now.
std::string fenced_server_text(ServerLife life);

// What becomes of the clients whose commits wait already. [S20] `waiting` is what the last poll has
// shown; `timeout_ms` is the server's own.
std::string waiting_clients_text(ServerLife life, std::uint64_t waiting, std::uint64_t timeout_ms);

// What the clients of a server were told that was killed, or had ended before.
std::string killed_server_text(const KilledServer& killed);

}  // namespace binlane

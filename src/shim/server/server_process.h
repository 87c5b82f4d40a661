// Ends the server's process, for `binlane fence --kill-server`: kill -9 of exactly the process that
// answers at the server's socket, and of no other that may have got its number since.
#pragma once

#include <cstdint>
#include <string>

#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"

namespace binlane {

// Identifies that process. Returns nothing, or why it is unknown: the kernel does not tell (another
// process namespace, hidden /proc), or the server's own pid file names another process. `known` is
// the run that was last seen, for a server that does not answer any more.
std::string find_server_process(ServerConnection& connection, const ServerRun& known,
                                PeerProcess& process);

enum class KillOutcome : std::uint8_t {
  killed,   // the signal ended it
  pending,  // the signal was sent, and the process has not ended yet
  gone,     // it had ended before, so no signal was sent
};

// Sends SIGKILL, and waits a moment for the process's end. Returns nothing, or why the signal was
// not sent although the process is alive.
std::string kill_server_process(const PeerProcess& process, KillOutcome& outcome);

}  // namespace binlane

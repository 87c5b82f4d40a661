// Ends the server's process, for `binlane fence --kill-server`: kill -9 of exactly the process that
// answers at the server's socket, and of no other that may have got its number since.
#pragma once

#include <string>

#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"

namespace binlane {

// Identifies that process. Returns nothing, or why it is unknown: the kernel does not tell (another
// process namespace, hidden /proc), or the server's own pid file names another process. `known` is
// the run that was last seen, for a server that does not answer any more.
std::string find_server_process(ServerConnection& connection, const ServerRun& known,
                                PeerProcess& process);

// Sends SIGKILL, and waits a moment for the process's end (`ended`: it has ended). Returns nothing,
// or why the signal was not sent; it is no error if the process has ended already.
std::string kill_server_process(const PeerProcess& process, bool& ended);

}  // namespace binlane

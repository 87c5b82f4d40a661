// Ends the server's process, for `binlane fence --kill-server`: kill -9 of exactly the process that
// answers at the server's socket, and of no other that may have got its number since.
#pragma once

#include <string>

#include "shim/server_connection.h"
#include "shim/server_facts.h"

namespace binlane {

// Which process that is. Empty, or why nobody can say: the kernel does not tell (another process
// namespace, hidden /proc), or the server's own pid file names another one. `known` is the run that
// was last seen, for a server that does not answer any more.
std::string find_server_process(ServerConnection& connection, const ServerRun& known,
                                PeerProcess& process);

// SIGKILL, and waits a moment for its end (`ended`: it has). Empty, or why it was not sent; a
// process that has ended already is no error.
std::string kill_server_process(const PeerProcess& process, bool& ended);

}  // namespace binlane

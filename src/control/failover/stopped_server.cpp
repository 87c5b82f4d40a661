#include "control/failover/stopped_server.h"

#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"
#include "shim/server/server_run_files.h"

namespace binlane {

BinlogIndex SystemStoppedServer::index(const std::string& index_path,
                                       const std::string& base_path) {
  return read_binlog_index(index_path, base_path);
}

std::uint32_t SystemStoppedServer::first_file_of_run(const std::string& index_path,
                                                     const std::string& base_path) {
  return find_server_run_files(index_path, base_path).first;
}

bool SystemStoppedServer::is_alive(const std::string& server_run) {
  const auto run = parse_server_run(server_run);
  return run && run->boot_id == this_boot_id() && binlane::is_alive(run->process);
}

}  // namespace binlane

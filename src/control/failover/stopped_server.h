// StoppedServer: what can be found out about the server beside us without asking it, from its files
// and its process. A rejoin compares and truncates binlogs while the server is stopped.
#pragma once

#include <cstdint>
#include <string>

#include "control/failover/tail_cut.h"
#include "shim/binlog/binlog_index.h"

namespace binlane {

class StoppedServer {
 public:
  StoppedServer() = default;
  StoppedServer(const StoppedServer&) = delete;
  StoppedServer& operator=(const StoppedServer&) = delete;
  virtual ~StoppedServer() = default;

  // What the server's index file lists; both paths as in RoleState.
  virtual BinlogIndex index(const std::string& index_path, const std::string& base_path) = 0;
  // The first binlog file of the server's last run; 0: unknown.
  virtual std::uint32_t first_file_of_run(const std::string& index_path,
                                          const std::string& base_path) = 0;
  // Whether the process of that run (SourceState::server_run) still exists. In doubt it does.
  virtual bool is_alive(const std::string& server_run) = 0;
  virtual CutFiles& files() = 0;
};

class SystemStoppedServer final : public StoppedServer {
 public:
  BinlogIndex index(const std::string& index_path, const std::string& base_path) override;
  std::uint32_t first_file_of_run(const std::string& index_path,
                                  const std::string& base_path) override;
  bool is_alive(const std::string& server_run) override;
  CutFiles& files() override { return CutFiles::system(); }
};

}  // namespace binlane

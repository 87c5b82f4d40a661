// SimStopped: what can be told of a simulated server without asking it, and the truncation of its
// binlogs while it is down.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "binlog_store.h"
#include "control/failover/stopped_server.h"
#include "mysqld.h"
#include "sim_standby.h"

namespace binlane::sim {

class SimStopped final : public StoppedServer, private CutFiles {
 public:
  // Outlives this.
  explicit SimStopped(SimStandby& standby) : standby_(standby) {}

  BinlogIndex index(const std::string& index_path, const std::string& base_path) override;
  std::uint32_t first_file_of_run(const std::string&, const std::string&) override;
  bool is_alive(const std::string& server_run) override;
  CutFiles& files() override { return *this; }

 private:
  // CutFiles.
  bool exists(const std::string& path) override;
  std::optional<std::uint64_t> size(const std::string& path) override;
  int read(const std::string& path, std::string& text) override;
  int replace(const std::string& path, const std::string& text) override;
  int rename(const std::string& from, const std::string& to) override;
  int sync_folder(const std::string&) override { return 0; }
  int truncate(const std::string& path, std::uint64_t length) override;

  std::string name(std::uint32_t number) const;

  SimStandby& standby_;
  std::optional<std::string> index_;  // another one than the server's own
  std::uint32_t index_run_ = 0;       // until the server begins its next run
  std::map<std::string, std::uint64_t> aside_;
};

}  // namespace binlane::sim

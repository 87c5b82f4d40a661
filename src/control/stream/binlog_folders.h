// BinlogFolders: how control reaches binlog files by their directory and base name: the server's
// own, an archive's, or those of a sealed stream. POSIX in the daemon, memory in the simulator.
#pragma once

#include <memory>
#include <string>

#include "shim/binlog/binlog_folder.h"

namespace binlane {

class BinlogFolders {
 public:
  virtual ~BinlogFolders() = default;
  // Never null; where there is no such folder, opening a file of it fails.
  virtual std::unique_ptr<BinlogFolder> open(const std::string& directory,
                                             const std::string& basename) = 0;
};

class PosixBinlogFolders final : public BinlogFolders {
 public:
  std::unique_ptr<BinlogFolder> open(const std::string& directory,
                                     const std::string& basename) override;
};

}  // namespace binlane

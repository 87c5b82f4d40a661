#include "control/stream/binlog_folders.h"

#include "shim/binlog/binlog_files.h"

namespace binlane {

std::unique_ptr<BinlogFolder> PosixBinlogFolders::open(const std::string& directory,
                                                       const std::string& basename) {
  return std::make_unique<PosixBinlogFiles>(directory, basename);
}

}  // namespace binlane

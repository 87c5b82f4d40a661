// HostFolders: the files of a host as folders of binlogs.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "archive_view.h"
#include "binlog_store.h"
#include "control/stream/binlog_folders.h"
#include "host_files.h"

namespace binlane::sim {

class HostFolders final : public BinlogFolders {
 public:
  // `files` must outlive this object.
  explicit HostFolders(HostFiles& files) : files_(files) {}
  // The files of a server, which are not the daemon's; `store` outlives this.
  void mount(const std::string& directory, BinlogStore& store) { stores_[directory] = &store; }
  std::unique_ptr<BinlogFolder> open(const std::string& directory,
                                     const std::string& basename) override {
    const auto found = stores_.find(directory);
    if (found != stores_.end()) return std::make_unique<BinlogView>(*found->second);
    return std::make_unique<ArchiveView>(files_, directory, basename);
  }

 private:
  HostFiles& files_;
  std::map<std::string, BinlogStore*> stores_;
};

}  // namespace binlane::sim

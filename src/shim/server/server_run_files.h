// Which binlog files belong to the current run of the server. [S3]
//
// A server opens a fresh binlog when it starts and stores the time in that file's format
// description event; a file made by rotation has 0 there. So the newest file whose creation time is
// not 0 is the first of the current run. The server's own recovery settled everything before it:
// registering as a replica at its start acknowledges nothing that any client waits for.
//
// Ordinary threads; reads the index and the first bytes of files.
#pragma once

#include <cstdint>
#include <string>

namespace binlane {

struct ServerRunFiles {
  std::uint32_t first = 0;  // 0: not found, see `error`
  std::uint32_t newest = 0;
  std::string error;
};

// `index_path` is @@log_bin_index, `basename_path` is @@log_bin_basename; both absolute.
ServerRunFiles find_server_run_files(const std::string& index_path,
                                     const std::string& basename_path);

}  // namespace binlane

// BinlogIndex: what a server's binlog index file lists. For ordinary threads.
#pragma once

#include <cstdint>
#include <string>

namespace binlane {

// One run of files with one base name and numbers without a gap, which is what a stream is made of
// (safety rule S16).
struct BinlogIndex {
  std::string directory;
  std::string basename;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  // What was wrong; empty when all is well. Nothing else is valid when it is not.
  std::string error;
};

// Reads the index file. Relative names in it stand below `data_directory`, the server's. An
// unfinished last line, which the server may be writing, is passed over.
BinlogIndex read_binlog_index(const std::string& path, const std::string& data_directory);

}  // namespace binlane

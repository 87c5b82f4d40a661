// BinlogIndex: what a server's binlog index file lists. For ordinary threads.
#pragma once

#include <cstdint>
#include <string>

namespace binlane {

// One run of files with one base name and numbers without a gap. A stream consists of such a run.
// [S16]
struct BinlogIndex {
  std::string directory;
  std::string basename;
  // The oldest file after which no number is missing in the index, and the newest.
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  // What was wrong; empty when all is well. Otherwise nothing else is valid.
  std::string error;
};

// Reads the index file of the binlogs `base_path`.NNNNNN (@@log_bin_basename, absolute: see
// binlog_paths.h). It skips an unfinished last line, which the server may be writing, and empty and
// repeated lines.
BinlogIndex read_binlog_index(const std::string& path, const std::string& base_path);

// The oldest file from which on every file of the index exists. Files may have been removed without
// PURGE BINARY LOGS; the index then still lists them. Returns `last` if that itself is missing.
std::uint32_t oldest_present(const BinlogIndex& index);

}  // namespace binlane

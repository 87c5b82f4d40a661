// The newest entry of a binlog index, read from the file's end, because an index may have a million
// lines.
//
// Empty lines at its end and an unfinished last line, which the server may be writing, are skipped.
// Ordinary threads.
#pragma once

#include <cstdint>
#include <string>

namespace binlane {

struct BinlogIndexTail {
  std::uint32_t newest_file = 0;  // 0: see `error`
  std::string error;
};

BinlogIndexTail read_binlog_index_tail(const std::string& path);

}  // namespace binlane

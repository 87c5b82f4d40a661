// FileCrossing: what has to be known where a dump continues from one archived file to the next.
//
// It judges whether the next file continues where the last one ends: its Gtid_list must be what the
// whole groups of the previous file end with. No replica has what is missing between them, so the
// dump has to end there with an error. [S24]
//
// Pure; the dump's thread owns it. It is shown every Gtid_list and GTID event of the files, sent or
// not. A file that was not read from its beginning is not used for judging: knows_file() says so,
// and the owner may catch up with take_file().
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shim/binlog/gtid_position.h"
#include "shim/binlog/gtid_state.h"

namespace binlane {

class FileCrossing {
 public:
  // The file's Gtid_list. Returns what is wrong with it, for people, or nothing. `server_started`:
  // the server was started before it wrote this file.
  std::string on_gtid_list(std::span<const GtidEntry> list, bool server_started);
  void on_group(const GtidEntry& gtid);
  // All of the open file: its Gtid_list and the state at its end.
  void take_file(std::span<const GtidEntry> list, const GtidHistory& end);
  // Nothing is known of the file any more, e.g. because the next one belongs to another stream.
  void forget() noexcept { known_ = false; }
  bool knows_file() const noexcept { return known_; }

 private:
  bool known_ = false;
  std::vector<GtidEntry> begin_;
  GtidHistory end_;
};

}  // namespace binlane

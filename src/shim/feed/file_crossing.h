// FileCrossing: what there is to know where a dump goes on from one archived file to the next.
//
// Whether the next file goes on where the last one ends (safety rule S24): its Gtid_list must be
// what the whole groups of the file before it end with. Whatever lies between is on no replica, so
// the dump has to end there, loudly.
//
// Pure; the dump's thread owns it. It is shown every Gtid_list and GTID event of the files, sent or
// not. A file that was not read from its beginning is not judged by: knows_file() says so, and the
// owner may catch up with take_file().
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shim/gtid_position.h"
#include "shim/gtid_state.h"

namespace binlane {

class FileCrossing {
 public:
  // The file's Gtid_list. What is wrong with it, for people; empty when nothing is.
  // `server_started`: the server was started before it wrote this file.
  std::string on_gtid_list(std::span<const GtidEntry> list, bool server_started);
  void on_group(const GtidEntry& gtid);
  // All of the open file: its Gtid_list and the state at its end.
  void take_file(std::span<const GtidEntry> list, const GtidHistory& end);
  // Nothing is known of the file any more, e.g. because the next one is another stream's.
  void forget() noexcept { known_ = false; }
  bool knows_file() const noexcept { return known_; }

 private:
  bool known_ = false;
  std::vector<GtidEntry> begin_;
  GtidHistory end_;
};

}  // namespace binlane

// FencedWatch: notices that the server of a FENCED source releases waiting commits.
//
// Nothing is acknowledged there any more. What waited when the source was fenced is released by the
// server's own timeout, a KILL or somebody's OFF, and then this server has committed what no other
// host holds. [S8] The simulator watches as control does. Control thread of the source.
#pragma once

#include <optional>

#include "control/stream/source_state.h"

namespace binlane {

class FencedWatch {
 public:
  // The source was fenced at this moment: `known` is what was last seen of the server.
  void begin(const ServerCounters& known, bool status_on);
  // Another run of the server, or another daemon: `known` if it is still the run that is on record.
  // What another run released shows in that server's files (Rejoiner).
  void begin_run(const std::optional<ServerCounters>& known);

  // One look at the server: whether it has released any commit since the last one. Call taken()
  // once that is recorded; until then each look says so again.
  bool let_go(const ServerCounters& now, bool status_on) const;
  void taken(const ServerCounters& now, bool status_on);

 private:
  std::optional<ServerCounters> counters_;  // as last looked at
  bool looked_ = false;                     // since it is FENCED, in this run of the server
  bool status_on_ = false;
};

}  // namespace binlane

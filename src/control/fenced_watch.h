// FencedWatch: notices that the server of a FENCED source lets waiting commits go.
//
// Nobody acknowledges anything there any more: what waited when the source was fenced is let go by
// the server's own timeout, a KILL or somebody's OFF, and then this server has committed what
// nobody else holds (S8). The simulator watches as control does. Control thread of the source.
#pragma once

#include <optional>

#include "control/source_state.h"

namespace binlane {

class FencedWatch {
 public:
  // The source was fenced in this moment: `known` is what was last seen of the server.
  void begin(const ServerCounters& known, bool status_on);
  // Another run of the server, or another daemon: `known` where it is still the run that is on
  // record. What another run let go shows in that server's files (Rejoiner).
  void begin_run(const std::optional<ServerCounters>& known);

  // One look at the server: whether it has let anybody go since the one before. taken() once that
  // is on record; until then each look says so again.
  bool let_go(const ServerCounters& now, bool status_on) const;
  void taken(const ServerCounters& now, bool status_on);

 private:
  std::optional<ServerCounters> counters_;  // as last looked at
  bool looked_ = false;                     // since it is FENCED, at this run of the server
  bool status_on_ = false;
};

}  // namespace binlane

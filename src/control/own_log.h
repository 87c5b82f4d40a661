// OwnLog: what a promotion does with the log of the candidate's own journal.
//
// Every call has its work done on the replica's control thread, between two HELLOs, and first makes
// sure that this host's promise is still to itself: once another candidate has it, this log belongs
// to that one. The caller is the source's control thread, which waits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "control/promotion.h"
#include "control/replica_side.h"

namespace binlane {

// A complete copy of a stream, in files of its own, as far as somebody held it.
struct SealedFiles {
  std::string directory;
  std::string basename;
  std::uint32_t first = 0;  // files
  Position end;
  Position whole_groups;  // behind the last whole event group
};

class OwnLog {
 public:
  OwnLog(ReplicaSide& side, const Promise& promise) : side_(side), promise_(promise) {}

  // Promises this host to itself, and ends the older source's session. Empty, or what went wrong;
  // the same of all others.
  std::string fence();
  // All writes in flight have ended; false with no problem: not yet.
  std::string settled(bool& done);
  // What is held, for the proof. Needs settled().
  std::string describe(PromotionLog& log);
  // Writes the whole stream, archive and journal together, to `directory`, which is made anew.
  std::string export_to(const std::string& directory, SealedFiles& files);
  // Cuts the log back to `to` in `epoch`; done when that is durable, false: call it again.
  std::string cut(Position to, Epoch epoch, bool& done);
  // Everything before `to` may go to the archive and to the local server.
  std::string release(Position to);

 private:
  std::string with_log(const std::function<std::string()>& work);
  std::string standing(const std::function<std::string(Journal&)>& work);
  std::string write_files(Journal& journal, const JournalMeta& meta, const std::string& directory,
                          SealedFiles& files);

  ReplicaSide& side_;
  const Promise promise_;
};

// What a host's own journal holds, read from beside the lane, which may be taking more at this
// moment. `name`: the host's.
PromotionLog log_at_a_glance(const std::string& name, ReplicaSide& side);

// Fences a host's own journal without a candidate: the next term is promised to the journal itself,
// under whose id nobody ever bids, and the session with the older source ends. `term` is which.
// Empty, or what went wrong.
std::string fence_for_nobody(ReplicaSide& side, std::uint32_t& term);

// Shortens a complete copy to `end`, durably. Empty, or what went wrong.
std::string cut_files(SealedFiles& files, Position end);

}  // namespace binlane

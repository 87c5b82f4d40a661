// CandidateLog: what a promotion does with the log of the candidate's own journal.
//
// Each call runs on the replica's control thread, between two HELLOs, while the caller, the
// source's control thread, waits. Each call first makes sure that this host's promise is still to
// itself: once another candidate has that promise, the log belongs to that candidate. After a
// result that is pending the caller calls again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/epoch.h"
#include "base/position.h"
#include "base/status.h"
#include "control/failover/promotion.h"
#include "control/failover/sealed_files.h"
#include "control/replica/replica_side.h"

namespace binlane {

class CandidateLog {
 public:
  // `side` must outlive this object.
  CandidateLog(ReplicaSide& side, const Promise& promise) : side_(side), promise_(promise) {}

  // Promises this host to itself, and ends the older source's session.
  Status fence();
  // Failed: this host has promised a later term to another candidate.
  Status still_promised();
  // Ok once all writes in flight have ended; pending until then.
  Status drained();
  // Describes the log for the proof. drained() must have been ok.
  Status describe(PromotionLog& log);
  // Writes the whole stream, from archive and journal, to `directory`, which is created anew.
  Result<SealedFiles> export_to(const std::string& directory);
  // Truncates the log to `to`, in `epoch`. Ok once that is durable; pending until then.
  Status truncate(Position to, Epoch epoch);
  // Releases everything before `to`, for the archive and the local server. Ok once that is done.
  Status release(Position to);

 private:
  Status with_log(const std::function<Status()>& work);
  Status quiesced(const std::function<Status(Journal&)>& work);

  ReplicaSide& side_;
  const Promise promise_;
};

// What the journal of the host `name` holds, read while its lane runs and may be receiving more.
PromotionLog log_at_a_glance(const std::string& name, ReplicaSide& side);

// Fences a host's own journal without a candidate: promises the next term to the journal's own
// UUID, under which no candidate ever bids, and ends the session with the older source. Returns
// that term.
Result<std::uint32_t> fence_for_nobody(ReplicaSide& side);

}  // namespace binlane

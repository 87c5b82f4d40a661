// ReadOnlyKeeper: makes a source's server read-only and writable again, and remembers across
// restarts that it was Binlane that made it read-only.
//
// Binlane stops writes for mode `fail` [S15], for a fence or for exposures that it cannot record
// [S18], and after a pause [S21]. It lifts read_only last of all, once a quorum protects what is
// written after that [S12]. A server that somebody else has made read-only remains so. Source's
// control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "base/time_source.h"
#include "control/source/source_server.h"
#include "storage/durable_mark.h"

namespace binlane {

class ReadOnlyKeeper {
 public:
  // Waits for this time. Returns false if the thread has to end, so that waiting is of no use.
  using Wait = std::function<bool(std::uint64_t length_ns)>;

  ReadOnlyKeeper(SourceServer& server, DurableMark& mark, const TimeSource& time, Wait wait);

  // Binlane has made the server read-only, or has asked for that.
  bool made() const noexcept { return made_; }
  // The answer of one replica is enough to lift it. [S21]
  bool until_answer() const noexcept { return until_answer_; }

  // Asks the server for read_only without waiting.
  void ask();
  // Asks for it as often as necessary. Ok once the server itself says that it is read-only; failed
  // with the reason until then.
  Status keep();
  // Mode `fail`: returns true once the server accepts no new commit, while those that wait for a
  // quorum still wait.
  bool stop_commits();
  void lift_on_answer(bool lift) noexcept { until_answer_ = lift; }
  // Records for the next start of binlaned that Binlane has made the server read-only.
  void leave_mark();
  // Removes that record.
  void forget();
  // What the server has said no longer counts: it is another server, or another fence.
  void forget_server() noexcept { seen_ = false; }
  // Pending while a request for read_only is in progress, because that would take effect after the
  // lifting.
  Status lift();

 private:
  SourceServer& server_;
  DurableMark& mark_;
  const TimeSource& time_;
  const Wait wait_;
  bool made_ = false;
  bool until_answer_ = false;
  bool seen_ = false;         // the server has said that it is read-only
  bool mark_failed_ = false;  // the mark could not be stored, and that was logged
  std::string said_;          // the last logged reason why it could not be made read-only
};

}  // namespace binlane

// SourceRecords: a source's own records on stable storage: its state and its ledger.
//
// After an error the state's file is not written any more: what is on record remains true but grows
// old, so the dump connection registers at a lower position. The records outlive incarnations.
// Source's control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "control/exposure/ledger.h"
#include "control/stream/source_state.h"

namespace binlane {

class SourceRecords {
 public:
  // Throws StartupError if one of them is damaged.
  SourceRecords(StateMedium medium, std::string ledger_path, LedgerIo ledger_io);

  const SourceState& state() const noexcept { return state_; }
  SourceStateFile& file() noexcept { return file_; }
  Ledger& ledger() noexcept { return ledger_; }
  const Ledger& ledger() const noexcept { return ledger_; }
  // Why the state cannot be stored any more; empty while it can.
  const std::string& failure() const noexcept { return failure_; }

  // Stores a state that has only grown. Returns whether it is on record.
  bool store(const SourceState& next);
  // Puts on record that the engine may have committed what waits for a quorum, from now on. Returns
  // whether that is on record. [S12]
  bool expect_after_commit();
  // Stores the state of a new incarnation. Failed: that incarnation may not begin.
  Status begin_incarnation(const SourceState& next);
  // Reads the state again, after a promotion has put another stream's state into the file.
  void reload();
  // Opens an interval for a server that is not fit for a source, because nobody watches it. [S8]
  void expose_refused(std::string_view problem);
  // After the ledger found its disk full: tries once a second whether there is room again. Returns
  // true if the ledger takes entries again since this call.
  bool find_room(std::uint64_t now_ns);

 private:
  SourceStateFile file_;
  Ledger ledger_;
  SourceState state_;
  std::string failure_;
  std::uint64_t next_room_ns_ = 0;
};

}  // namespace binlane

// FencedSource: what a FENCED source still does, until it rejoins or the fence is lifted. It
// records what the disk did not take when the fence came, watches whether the server releases
// waiting commits [S8], and makes those commits wait that the server still takes [S20]. Made anew
// for each fence. Source's control thread.
#pragma once

#include <cstdint>
#include <string>

#include "control/fallback/fenced_watch.h"
#include "control/source/source_parts.h"

namespace binlane {

class FencedSource {
 public:
  // For a start of the daemon: only what is on record is known.
  FencedSource(SourceParts& parts, ServerSight& sight);
  // For a fence that comes now: the ledger lacks nothing that was released before `from`. `known`
  // and `status_on` are the server's counters and its semi-sync status at the last poll.
  FencedSource(SourceParts& parts, ServerSight& sight, Position from, const ServerCounters& known,
               bool status_on);

  // Opens the ledger's interval for what the server may release from now on.
  void record_exposure();
  // `our_timeout_ms` is the key timeout_ms.
  void turn(std::uint64_t now_ns, std::uint64_t our_timeout_ms);
  const Position& from() const noexcept { return from_; }

 private:
  void record_again(std::uint64_t now_ns);
  void poll_server(std::uint64_t now_ns, std::uint64_t our_timeout_ms);
  Status connect();
  bool expose();
  void hold_commits(const SemiSyncStatus& status, std::uint64_t our_timeout_ms);

  SourceParts& parts_;
  ServerSight& sight_;
  FencedWatch watch_;
  Position from_;
  bool recorded_ = true;  // the exposure is in the ledger
  std::uint64_t next_record_ns_ = 0;
  std::uint64_t next_poll_ns_ = 0;
  bool commits_held_ = false;  // in this run of the server
};

}  // namespace binlane

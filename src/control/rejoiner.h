// Rejoiner: brings a host that was the source back as a replica of the source of today.
//
// It compares the server's binlogs with where the old stream was sealed. What the server has beyond
// that nobody else has: those event groups are named. They can be cut off only before the engine
// has committed them, that is, from a server that has not been started since (S12); otherwise the
// server holds what nobody else does, and has to be rebuilt. A server whose binlog ends below the
// seal, or differs from it, has to be rebuilt as well: the streams of today do not hold what it
// lacks. Source's control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config.h"
#include "control/host_role.h"
#include "control/ledger.h"
#include "control/replica_side.h"
#include "control/source_state.h"
#include "shim/binlog_groups.h"
#include "shim/server_connection.h"

namespace binlane {

struct RejoinView {
  bool running = false;
  bool done = false;
  std::vector<std::string> report;  // what was found and done, for people
  std::string refusal;              // why it was not done; empty otherwise
  std::string waiting_for;          // what has to happen before it begins
  std::uint64_t diverging_groups = 0;
};

// How the operator wants it done.
struct RejoinOptions {
  bool cut = false;      // cut off what nobody else has, if that is provably safe
  bool rebuilt = false;  // the server was rebuilt from a copy: there is nothing to compare
};

class Rejoiner {
 public:
  // All outlive this.
  Rejoiner(const Config& config, ReplicaSide& replica, RoleFile& role, const SourceState& state,
           const Ledger& ledger, ServerConnection& sql)
      : config_(config),
        replica_(replica),
        role_(role),
        state_(state),
        ledger_(ledger),
        sql_(sql) {}

  // Does all that is done on this host; blocks for as long as that takes. True: it is a standby
  // now.
  bool run(const RejoinOptions& options);
  // Goes on with a cut that is on record, if there is one. Empty when it is done, or why not.
  std::string finish_cut();
  // After run(): whether the server is seen to follow this host's feed. Empty when it is, and that
  // ends the rejoin; otherwise what keeps it from that, with the server's own error.
  std::string look_at_server();
  const RejoinView& view() const noexcept { return view_; }
  // After a run() that compared: where the stream of this host's time as the source ends.
  Position sealed_at() const noexcept { return sealed_at_; }

 private:
  // What the server's binlogs are, compared with the seal.
  struct Compared {
    ArchivePlace place;
    std::uint32_t last = 0;
    bool server_up = false;
    std::string gtid;                 // at the seal
    std::vector<BinlogGroup> beyond;  // the first few of the groups behind it
  };

  std::string compare(const Successor& successor, Compared& found);
  std::string stop_writes();
  std::string cut(const Successor& successor, const Compared& found);
  std::string prove_uncommitted(const Successor& successor, const Compared& found);
  std::string follow(const std::string& gtid);
  std::string forget_journal();
  void report(std::string line);

  const Config& config_;
  ReplicaSide& replica_;
  RoleFile& role_;
  const SourceState& state_;
  const Ledger& ledger_;
  ServerConnection& sql_;
  Position sealed_at_;
  bool seen_following_ = false;  // on the look before this one
  RejoinView view_;
};

}  // namespace binlane

// Rejoiner: makes a host that was the source a replica of the present source.
//
// It compares the server's binlogs with the position at which the old stream was sealed. Event
// groups after the seal exist on this host only; it names them. They can be cut off only if the
// server's engine has not committed them yet, that is, if the server has not been started since
// [S12]. Otherwise the server has data that no other host has, and must be rebuilt. A server whose
// binlog ends before the seal, or differs before it, must be rebuilt as well, because no present
// stream contains what it lacks. Source's control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/exposure/ledger.h"
#include "control/failover/host_role.h"
#include "control/failover/own_writes.h"
#include "control/failover/standby_server.h"
#include "control/failover/stopped_server.h"
#include "control/replica/replica_side.h"
#include "control/stream/binlog_folders.h"
#include "control/stream/source_state.h"
#include "shim/feed/binlog_groups.h"

namespace binlane {

struct RejoinView {
  bool running = false;
  bool done = false;
  std::vector<std::string> report;  // what was found and done, in lines for operators
  std::string refusal;              // why it was refused; empty if it was not
  std::string waiting_for;          // what it waits for before it begins, or at the server
  std::uint64_t diverging_groups = 0;
};

// How the operator wants it to be done.
struct RejoinOptions {
  bool cut = false;      // cut off what no other host has, if that is proven to be safe
  bool rebuilt = false;  // the server was rebuilt from a copy, so there is nothing to compare
};

class Rejoiner {
 public:
  // Everything given must outlive this object.
  Rejoiner(const Config& config, BinlogFolders& folders, ReplicaSide& replica, RoleFile& role,
           const SourceState& state, const Ledger& ledger, StandbyServer& server,
           StoppedServer& stopped)
      : config_(config),
        folders_(folders),
        replica_(replica),
        role_(role),
        state_(state),
        ledger_(ledger),
        server_(server),
        stopped_(stopped),
        own_writes_(server) {}

  // Does everything that is to be done on this host, and blocks until it is done. Returns true if
  // the host is now a standby; otherwise view() says why not.
  bool run(const RejoinOptions& options);
  // Continues a cut that is on record. Ok if none is left to do.
  Status finish_cut();
  // After run(): ok once the server is seen to follow this host's feed, which ends the rejoin.
  // Until then, what it waits for, with the server's own error. A server that was said to be
  // rebuilt, and holds what it wrote by itself before, is refused (view().refusal).
  Status observe_server(std::uint64_t now_ns);
  const RejoinView& view() const noexcept { return view_; }
  // After a run() that compared logs: where the stream of which this host was the source was
  // sealed.
  Position sealed_at() const noexcept { return sealed_at_; }

 private:
  // The server's binlogs, compared with the seal.
  struct Compared {
    ArchivePlace place;
    std::uint32_t last = 0;
    bool server_up = false;
    std::string gtid;                 // the GTID state at the seal
    std::vector<BinlogGroup> beyond;  // the first few groups after the seal
  };

  Status compare(const Successor& successor, Compared& found);
  Status compare_files(const Successor& successor, Compared& found);
  Status find_groups_beyond(Compared& found);
  Status find_gtid(Compared& found);
  Status cut(const Successor& successor, const Compared& found);
  Status prove_uncommitted(const Successor& successor, const Compared& found);
  Status follow(const std::string& gtid);
  Status forget_journal();
  Status become_standby();
  Status run_checked(const RejoinOptions& options);
  Status prove_rebuilt(std::uint64_t now_ns);
  void report(std::string line);

  const Config& config_;
  BinlogFolders& folders_;
  ReplicaSide& replica_;
  RoleFile& role_;
  const SourceState& state_;
  const Ledger& ledger_;
  StandbyServer& server_;
  StoppedServer& stopped_;
  Position sealed_at_;
  std::uint64_t seen_connection_ = 0;  // on which the feed served the server at the last look
  bool said_rebuilt_ = false;          // so nothing was compared
  OwnWrites own_writes_;
  RejoinView view_;
};

}  // namespace binlane

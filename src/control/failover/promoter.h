// Promoter: carries out the promotion of this host. It fences and inspects the peers, has the pure
// class Promotion judge, seals the old stream, has peers copy it until the new rule covers it,
// hands it to the local server, and begins the new stream. docs/OPERATIONS.md describes this for
// operators.
//
// Each step is in a durable record (host_role.h) before the next one begins, and a daemon that was
// killed continues where the record says. Every turn first makes sure that this host's promise is
// still to itself. The promoter uses the source's own parts (lane, handshakes, tailer) over a
// folder of files in place of a server's binlogs, in epoch {term, 0}. Source's control thread.
//
// promoter.cpp is the part up to the decision, promoter_seal.cpp the part after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time_source.h"
#include "control/config/config.h"
#include "control/failover/candidate_log.h"
#include "control/failover/host_role.h"
#include "control/failover/own_writes.h"
#include "control/failover/promotion.h"
#include "control/failover/promotion_preflight.h"
#include "control/failover/promotion_view.h"
#include "control/failover/sealed_stream_server.h"
#include "control/failover/standby_server.h"
#include "control/replica/log_transfer.h"
#include "control/replica/replica_side.h"
#include "control/stream/source_state.h"

namespace binlane {

// How long the peers have to answer; after that the proof must do without those that have not. Once
// the proof is complete, how long the promotion still waits for the others, because each may hold a
// longer log.
inline constexpr std::uint64_t kInspectNs = 5 * kNanosPerSecond;
inline constexpr std::uint64_t kInspectGraceNs = 300 * kNanosPerMilli;
// How long peers in a session have to reach the seal once the rule covers it. After that the new
// stream begins without them.
inline constexpr std::uint64_t kStragglerNs = 10 * kNanosPerSecond;
// How long the rule may need to cover the seal before an operator is told what to do about peers
// that do not come.
inline constexpr std::uint64_t kAbsentNs = 5 * kNanosPerSecond;

class Promoter {
 public:
  // Everything given must outlive this object.
  Promoter(const Config& config, LaneHandle& lane, BinlogFolders& folders, const TimeSource& time,
           ReplicaSide& replica, RoleFile& role, SourceStateFile& state, StandbyServer& server,
           std::vector<SessionManager::Replica> peers);

  // For an operator's request. It first looks at this host, its server and the peers, without
  // changing anything. If the promotion cannot succeed, view() says why. `from_live_source`: the
  // operator permits it although the source is alive.
  void begin(bool from_live_source) { begin_preflight(from_live_source, false); }
  // For an operator's dry run: the same look, and nothing more. view() has the result.
  void plan(bool from_live_source) { begin_preflight(from_live_source, true); }
  // The caller refuses the promotion for a reason of its own; view() shows it.
  void refuse(const std::string& reason);
  // At a start of the daemon: continues what the record says, or gives it up.
  void resume();
  // One turn.
  void work(std::uint64_t now_ns);

  bool running() const noexcept { return phase_ != Phase::idle; }
  // The peers have got nothing but looks so far.
  bool only_looking() const noexcept { return phase_ == Phase::preflight; }
  // The record says that this host is the source.
  bool succeeded() const noexcept { return succeeded_; }
  const PromotionView& view() const noexcept { return view_; }

  enum class Phase : std::uint8_t {
    idle,
    preflight,  // looks at the peers, and changes nothing
    drain,      // this host's writes in flight end
    inspect,    // fences the peers and inspects their logs
    fetch,      // a peer holds more, and serves it to this host
    truncate,   // truncates this host's log to the seal
    cover,      // peers copy the stream up to the seal
    execute,    // the local server executes everything up to the seal
    activate,   // the new stream begins
  };
  Phase phase() const noexcept { return phase_; }
  // What this host's log held when it was fenced.
  const PromotionLog& held() const noexcept { return candidate_; }
  // What the peers have answered; empty while they are not served.
  std::vector<SessionManager::ReplicaView> peers() const;

 private:
  void begin_preflight(bool from_live_source, bool dry_run);
  void preflight(std::uint64_t now_ns);
  void refuse_unchanged(const std::string& reason);
  Status start_term(std::uint32_t largest_seen);
  void drain();
  void inspect(std::uint64_t now_ns);
  void fetch(std::uint64_t now_ns);
  void seal();
  void truncate();
  Status serve(bool inspecting);
  void cover(std::uint64_t now_ns);
  std::string uncovered(const SourceMarks& marks, const Position& seal, bool advise) const;
  bool stragglers(const SourceMarks& marks, std::uint64_t now_ns);
  void execute();
  void activate(std::uint64_t now_ns);
  Status begin_stream(const StandbyServer::NewStream& stream);
  void step_aside(const std::string& reason);
  Status find_wanted_gtids();

  Status store(const PromotionRecord& record);
  void give_up(const std::string& reason);
  // Notes what the promotion waits for, as the end of "waits for …". Logs it if it has changed.
  void wait_for(const std::string& what);
  // Waits if the status is pending, gives up if it is failed. Returns whether it is ok.
  bool goes_on(const Status& status, const std::string& waits_for);
  PromotionRecord record() const { return role_.state().promotion; }
  std::string sealed_folder(std::uint32_t term) const;
  void remove_sealed_folders() const;
  std::vector<std::string> peer_names() const;

  const Config& config_;
  BinlogFolders& folders_;
  const TimeSource& time_;
  ReplicaSide& replica_;
  RoleFile& role_;
  SourceStateFile& state_;
  StandbyServer& server_;
  const std::vector<SessionManager::Replica> peers_;
  SealedStreamServer stream_;
  PromotionPreflight preflight_;
  OwnWrites own_writes_;

  Phase phase_ = Phase::idle;
  bool dry_run_ = false;
  bool succeeded_ = false;
  int attempts_ = 0;
  std::uint64_t begun_ns_ = 0;   // when the inspection began, or when the seal was covered
  std::uint64_t cover_ns_ = 0;   // when this host began to wait until the rule covers the seal
  std::uint64_t proven_ns_ = 0;  // when the proof was complete; 0: it is not
  std::optional<CandidateLog> log_;
  SealedFiles files_;
  std::string wanted_gtids_;  // of a server that has executed everything up to the seal
  PromotionLog candidate_;
  std::optional<Promotion> promotion_;
  std::optional<TransferProgress> fetch_;
  PromotionView view_;
};

}  // namespace binlane

// Promoter: carries out the promotion of this host: it fences and inspects, has the pure class
// Promotion judge, seals the old stream, has peers copy it until the new rule covers it, hands it
// to the local server, and prepares the new stream. docs/OPERATIONS.md shows it from outside.
//
// Its steps are a durable record (host_role.h), stored before the next one begins; a daemon that
// was killed goes on where the record says. Every turn first makes sure that this host is still
// promised to itself. It works with the source's own parts (lane, handshakes, tailer), over a
// folder of files in place of a server's binlogs, in epoch {term, 0}. Source's control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/config.h"
#include "control/host_role.h"
#include "control/loan.h"
#include "control/log_server.h"
#include "control/look_server.h"
#include "control/own_log.h"
#include "control/promotion.h"
#include "control/promotion_survey.h"
#include "control/replica_side.h"
#include "control/source_state.h"
#include "shim/server_connection.h"

namespace binlane {

// How long peers may take to answer before what they would have said is missing, and how long one
// waits for the others once the proof stands: each may hold a longer log.
inline constexpr std::uint64_t kInspectNs = 5 * kNanosPerSecond;
inline constexpr std::uint64_t kInspectGraceNs = 300 * kNanosPerMilli;
// How long peers in a session may take to reach the sealed end once the rule covers it. Behind that
// the new stream begins without them.
inline constexpr std::uint64_t kStragglerNs = 10 * kNanosPerSecond;
// Another candidate may have asked for the same term, or a peer may have promised a later one.
inline constexpr int kMaxTermAttempts = 4;

// What an operator sees of it.
struct PromotionView {
  bool running = false;
  PromotionStep step = PromotionStep::none;
  std::uint32_t term = 0;
  std::vector<std::string> proof;
  std::string refusal;           // why it ended without this host being the source
  std::string better_candidate;  // whom to promote instead, if anybody is known
  std::string waiting_for;       // what has to happen before it goes on
};

class Promoter {
 public:
  // All outlive this. `sql` is connected when it is needed.
  Promoter(const Config& config, SourceLane& lane, ReplicaSide& replica, RoleFile& role,
           SourceStateFile& state, DumpDrain& drain, ServerConnection& sql,
           std::vector<HandshakeDesk::Replica> peers);

  // The operator asks for it; `from_live_source`: though the source lives. First the peers are
  // looked at, without changing anything. When it cannot succeed, the view says why.
  void begin(bool from_live_source);
  // The operator asks what it would take; the view says it in the end. Changes nothing.
  void plan(bool from_live_source);
  // It cannot even be looked at, for a reason of the caller's.
  void refuse(const std::string& reason);
  // At start: goes on with what the record says, or clears it away.
  void resume();
  void work(std::uint64_t now_ns);

  bool running() const noexcept { return phase_ != Phase::idle; }
  // Nothing was asked of anybody yet but a look.
  bool only_looking() const noexcept { return phase_ == Phase::survey; }
  // This host is the source now, by its record.
  bool succeeded() const noexcept { return succeeded_; }
  const PromotionView& view() const noexcept { return view_; }

 private:
  enum class Phase : std::uint8_t {
    idle,
    survey,    // peers are looked at, and nothing is changed
    settle,    // own writes in flight end
    inspect,   // peers are fenced and looked at
    fetch,     // one holds more, and lends it
    cut,       // the own log ends at the seal
    cover,     // peers copy up to the seal
    execute,   // the local server executes up to the seal
    activate,  // the new stream begins
  };

  void begin_survey(bool from_live_source, bool dry_run);
  bool look(std::uint64_t now_ns);
  void survey(std::uint64_t now_ns);
  HeardSource heard_source() const;
  void refuse_unchanged(const std::string& reason);
  std::string start_term(std::uint32_t largest_seen);
  std::string check_host() const;
  std::string check_server();
  std::string check_standby_server();
  std::string check_own_writes();
  void settle();
  void inspect(std::uint64_t now_ns);
  void fetch(std::uint64_t now_ns);
  void seal();
  void cut();
  bool serve(bool inspecting);
  void cover(std::uint64_t now_ns);
  std::string uncovered(const SourceMarks& marks, const Position& seal) const;
  bool stragglers(const SourceMarks& marks, std::uint64_t now_ns);
  void execute();
  void activate();
  std::string sealed_gtid() const;
  bool covered_by_server(std::string& stands_at);
  bool query(const std::string& sql, QueryResult& result);

  bool store(const PromotionRecord& record);
  void give_up(const std::string& reason);
  // Waits: a condition outside has to change. Logged when it is another one than before.
  void wait_for(const std::string& what);
  PromotionRecord record() const { return role_.state().promotion; }
  std::string sealed_folder(std::uint32_t term) const;
  void remove_sealed_folders() const;

  const Config& config_;
  ReplicaSide& replica_;
  RoleFile& role_;
  SourceStateFile& state_;
  ServerConnection& sql_;
  LogServer server_;
  LookServer looks_;
  std::vector<HandshakeDesk::Replica> peers_;

  Phase phase_ = Phase::idle;
  bool succeeded_ = false;
  int attempts_ = 0;
  std::uint64_t begun_ns_ = 0;   // inspecting, or covered
  std::uint64_t proven_ns_ = 0;  // 0: not yet
  // While only looking.
  std::optional<PromotionSurvey> survey_;
  bool from_live_source_ = false;
  bool dry_run_ = false;
  bool looking_ = false;                       // the lane looks
  std::vector<std::string> standby_warnings_;  // what would hold the promotion up
  std::uint32_t look_term_ = 0;                // that would be bid for
  std::optional<OwnLog> log_;
  SealedFiles files_;
  PromotionLog candidate_;
  std::optional<Promotion> promotion_;
  std::optional<Fetch> fetch_;
  PromotionView view_;
};

}  // namespace binlane

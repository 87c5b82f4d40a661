// PromotionChecks: the invariants across a promotion, checked from the moment when somebody asks
// for it.
//
//   I1   every commit that clients saw under a quorum is before the seal, byte for byte, in the
//        winning log; and what the new source acknowledges is held by a quorum of its own
//   I3   the old source, alive or back again, completes no quorum after the seal
//   S2   no server is fed anything of the old stream after the seal, and the tail before the seal
//        only once the new rule covers it
//   S10  a replica whose server was fed more before is DIVERGED, and feeds nothing any more
//   and no GTID is acknowledged for two different transactions by two sources.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../source_host.h"

namespace binlane::sim {

class World;

// Whether the store holds the commit, byte for byte.
bool stream_holds(const BinlogStore& store, const Commit& commit);

// S12: what the server of a host that rejoins as it is holds is the stream that was sealed, byte
// for byte, and nothing after that.
void check_rejoined(World& world, SourceHost& host);

class PromotionChecks {
 public:
  PromotionChecks(World& world, SourceHost& candidate);

  void after_step();
  // Whether the new rule covers this position of the old stream, in the new term.
  bool covered(Position position) const;
  // Called for every answer of the old server.
  void on_old_answer(const Commit& commit);

  std::uint64_t compared() const { return compared_; }  // acknowledged commits compared at the seal
  std::uint64_t new_acked() const { return new_acked_; }  // commits acknowledged by the new source

 private:
  void on_sealed();
  void check_follows_the_last() const;
  void on_released();
  void on_active();
  void on_new_answer(const Commit& commit);
  ReplicaSet peers_that(const std::function<bool(const ReplicaHost&)>& do_so) const;
  void check_feeds();
  [[noreturn]] void fail(const std::string& invariant, const std::string& what) const;

  World& world_;
  SourceHost& candidate_;
  std::uint64_t compared_ = 0;
  std::uint64_t new_acked_ = 0;
  // GTIDs that either source acknowledged, with CRC.
  std::map<std::pair<Uuid, std::uint64_t>, std::uint32_t> acked_;
  const Position fed_when_asked_;       // how far the candidate's own server was fed
  std::vector<Position> diverged_fed_;  // for each replica; null: it has not diverged
};

}  // namespace binlane::sim

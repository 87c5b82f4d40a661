// PromotionChecks: the invariants across a promotion, watched from the moment somebody asks for it.
//
//   I1   every commit that clients saw under quorum lies at or below the seal, byte for byte, in
//        the winning log; and what the new source acknowledges is held by a quorum of its own
//   I3   the old source, alive or back again, completes no quorum behind the seal
//   S2   nobody is fed anything of the old stream behind the seal, and the tail in front of it only
//        once the new rule covers it
//   S10  who was fed more before is DIVERGED, and fed nothing any more
//   and that no GTID is acknowledged for two different transactions by two sources.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../candidate.h"

namespace binlane::sim {

class World;

// Whether the store holds the commit, byte for byte.
bool stream_holds(const BinlogStore& store, const Commit& commit);

class PromotionChecks {
 public:
  PromotionChecks(World& world, Candidate& candidate);

  void after_step();
  // By the new rule, under the new term; a position of the old stream.
  bool covered(Position position) const;
  // The old server's; every answer.
  void on_old_answer(const Commit& commit);

  std::uint64_t compared() const { return compared_; }    // acknowledged commits, at the seal
  std::uint64_t new_acked() const { return new_acked_; }  // by the new source

 private:
  void on_sealed();
  void on_active();
  void on_new_answer(const Commit& commit);
  ReplicaSet peers_that(const std::function<bool(const ReplicaHost&)>& do_so) const;
  void check_feeds();
  [[noreturn]] void fail(const std::string& invariant, const std::string& what) const;

  World& world_;
  Candidate& candidate_;
  std::uint64_t compared_ = 0;
  std::uint64_t new_acked_ = 0;
  std::map<std::uint64_t, std::uint32_t> acked_;  // GTID: crc, by either source
  const Position fed_when_asked_;                 // of the candidate's own server
  std::vector<Position> diverged_fed_;            // by replica; null: not diverged yet
};

}  // namespace binlane::sim

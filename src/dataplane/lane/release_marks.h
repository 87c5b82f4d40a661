// ReleaseMarks: the release rule, which says how far each replica may hand the stream to its own
// server.
//
// Bytes are released when they are on the source's own stable storage and a quorum has them at
// level durable; while the source is degraded, the first is enough [S9]. Bytes without a quorum are
// announced to a replica only after it has recorded the exposure. With `degraded_release = hold`
// they are withheld until its journal is full. [S10]
//
// All marks are stream offsets, and none ever decreases before the next reset(). No I/O, no clock;
// the source's lane owns it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/assert.h"
#include "base/mutant.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

class ReleaseMarks {
 public:
  // A new incarnation: nothing is synced, released or told.
  void reset() noexcept { *this = {}; }

  // Commits go on without a quorum. `exposure`: the exposure list that a replica must have on
  // record before it is told of them. `hold`: not even then, while its journal has room.
  void begin_degraded(std::uint64_t exposure, bool hold) noexcept {
    degraded_ = true;
    exposure_ = exposure;
    hold_ = hold;
  }
  // What was released remains released, and is announced under the same conditions.
  void end_degraded() noexcept { degraded_ = false; }
  bool degraded() const noexcept { return degraded_; }

  // Everything before `synced` is on the source's own stable storage. [S7]
  void raise_synced(std::uint64_t synced) noexcept { synced_ = std::max(synced_, synced); }
  // A quorum has everything before `quorum` at level durable. True when this releases more.
  bool advance(std::uint64_t quorum) noexcept {
    const std::uint64_t covered = std::min(synced_, quorum);
    const std::uint64_t proven = BL_MUTANT(released_beyond_synced, quorum, covered);
    const std::uint64_t mark = degraded_ ? synced_ : proven;
    const std::uint64_t before = released_;
    // It never decreases, in any state.
    released_ = BL_MUTANT(released_goes_back, mark, std::max(released_, mark));
    covered_ = std::max(covered_, covered);
    // The source's own storage is never behind what anybody may execute. [S7, S9]
    BL_ASSERT(covered_ <= released_ && released_ <= synced_);
    return released_ > before;
  }

  // A session with this replica begins: it has been told nothing, and knows of no exposure.
  void begin_session(std::uint32_t replica) noexcept { peer(replica) = {}; }
  // The replica of the session that runs has this exposure list on record.
  void set_exposure_known(std::uint32_t replica, std::uint64_t exposure) noexcept {
    BL_ASSERT(exposure >= peer(replica).exposure_known);  // what is on record remains there
    peer(replica).exposure_known = exposure;
  }
  // What the replica is told in this turn. `has_room`: its journal takes another frame.
  std::uint64_t tell(std::uint32_t replica, bool has_room) noexcept {
    Peer& told = peer(replica);
    const bool knows = BL_MUTANT(exposure_told_late, true, told.exposure_known >= exposure_);
    const bool holds = BL_MUTANT(held_release_told, false, hold_ && has_room);
    told.released = std::max(told.released, knows && !holds ? released_ : covered_);
    BL_ASSERT(told.released <= released_);
    return told.released;
  }
  std::uint64_t told(std::uint32_t replica) const noexcept {
    BL_ASSERT(replica < kMaxReplicas);
    return peers_[replica].released;
  }

  std::uint64_t synced() const noexcept { return synced_; }
  std::uint64_t released() const noexcept { return released_; }
  // The part of it that a quorum has.
  std::uint64_t covered() const noexcept { return covered_; }

 private:
  struct Peer {
    std::uint64_t exposure_known = 0;
    std::uint64_t released = 0;  // as it was told
  };
  Peer& peer(std::uint32_t replica) noexcept {
    BL_ASSERT(replica < kMaxReplicas);
    return peers_[replica];
  }

  std::uint64_t synced_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t covered_ = 0;
  std::uint64_t exposure_ = 0;  // the list that says what else was released
  bool degraded_ = false;
  bool hold_ = false;
  std::array<Peer, kMaxReplicas> peers_{};
};

}  // namespace binlane

// Checks: the invariants of the design, checked in every step of a simulated run. Each has a file
// of its own, and throws Violation with what it saw.
//
//   I1  what a client saw committed under quorum is held by a quorum     i1_quorum_holds.cpp
//   I2  an ACK says no more than the platter holds                       i2_ack_is_true.cpp
//   I3  only logs of the source's own epoch make its quorum              i3_epoch.cpp
//   I4  the ledger knows of every release without a quorum               i4_ledger.cpp
//   I5  durable is prefix-closed and grows                               i5_durable_grows.cpp
//   I6  nothing that was safe is cut                                     i6_cut.cpp
//   I7  the feed gives released bytes, in whole groups                   i7_feed.cpp
//   I8  archive and journal are the source's bytes                       i8_archive.cpp
//   and no quorum is given to two different contents at one position     split_ack.cpp
//
// A replica whose medium lied, or that was replaced, is one of the failures that a quorum rule
// tolerates. It counts as if it held what it has lost.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/uuid.h"
#include "control/exposure/ledger.h"
#include "dataplane/port/port.h"
#include "dataplane/session/frame.h"
#include "dataplane/session/quorum_rule.h"
#include "mysqld.h"
#include "random.h"

namespace binlane::sim {

class World;
class ReplicaHost;

// How often each check had something to check.
struct CheckCounts {
  std::uint64_t quorums = 0;   // I1
  std::uint64_t acks = 0;      // I2
  std::uint64_t marks = 0;     // I3
  std::uint64_t releases = 0;  // I4: releases by Binlane itself
  std::uint64_t exposed = 0;   // I4: commits that were released without a quorum
  std::uint64_t foreign = 0;   // of these, by an ACK that is not ours
  std::uint64_t unwaited = 0;  // of these, because names were compared as text
  std::uint64_t turns = 0;     // I5
  std::uint64_t cuts = 0;      // I6
  std::uint64_t feeds = 0;     // I7
  std::uint64_t bytes = 0;     // I8
  std::uint64_t acked = 0;     // commits under a quorum
  std::uint64_t wakings = 0;   // S21: wakings of a source that another host had replaced meanwhile
};

class Checks {
 public:
  explicit Checks(World& world);

  void after_step();
  void at_end();
  // A degraded source was suspended together with its server, and continues now.
  void on_source_wakes();
  // It rejoins: what it wrote goes, and the ledger's intervals end where its stream was sealed, or,
  // if it was rebuilt, where they began.
  void on_source_rejoins(bool rebuilt);
  Position told() const { return told_; }
  // Whether the replica would hold a commit of this stream after a power cut.
  bool holds(const ReplicaHost& replica, const Commit& commit, const Uuid& origin) const;
  const CheckCounts& counts() const { return counts_; }

 private:
  struct OfReplica {
    // I5
    Epoch epoch;
    Position durable;
    std::uint64_t durable_log = 0;
    std::uint64_t openings = 0;
    std::uint64_t reseeds = 0;
    std::uint64_t streams_switched = 0;
    // With degraded_release = hold, its source may have taken its journal for full.
    std::uint64_t full_ns = 0;
    Position may_release;  // beside what all may
    // I7, I8
    Position fed;
    Position compared;
  };
  struct Exposure {
    Commit commit;
    Uuid origin;
    bool killed = false;  // the leader of its group was killed
  };

  void on_packet(const Endpoint& from, ConstBytes bytes);
  void on_answer(const Commit& commit);
  void on_told(Position position);

  void check_quorum_holds(const Commit& commit);
  // The replica holds a later stream, and before that this one up to `position`.
  bool held_before(const ReplicaHost& replica, const Position& position) const;
  bool sealed() const;  // a promotion has sealed the stream of the positions here
  void check_ack(const FrameView& frame, std::size_t replica);
  void note_started(const FrameView& frame, std::size_t replica);
  ReplicaSet holders_in_epoch(Position position, Epoch epoch) const;
  void check_epoch(Position position);
  void check_turning_off();
  void check_mode(const LedgerInterval& interval);
  void check_damage() const;
  void check_ledger();
  void follow_foreign();
  void check_guarded();
  void check_durable_grows(std::size_t replica);
  void check_cut(const FrameView& frame);
  void check_feed(std::size_t replica);
  void check_archive(std::size_t replica);
  void check_split_ack(const Commit& commit);
  void watch_woken();
  void check_woken(const Commit& commit);
  void follow_stream();
  void forget_marks();
  Position durable_at_source() const;
  ReplicaSet holders_of(const Commit& commit) const;
  [[noreturn]] void fail(const std::string& invariant, const std::string& what) const;
  // Whether these replicas satisfy the rule in force. A failed replica counts with what it may have
  // held.
  bool satisfied(ReplicaSet holders) const;

  World& world_;
  Random random_;
  CheckCounts counts_;
  std::vector<OfReplica> of_;
  Uuid origin_;  // of the stream of the positions here
  std::uint64_t resets_ = 0;
  Position told_;  // the newest quorum mark that was shown
  Position safe_;  // min(durable on the source, told)
  // S21: since when the old source, after waking up, must not take writes any more, and where its
  // binlog ended at that moment.
  struct Woken {
    std::uint64_t bound_ns = 0;
    std::uint64_t server_run = 0;
    std::uint64_t starts = 0;  // of the source's daemon
    std::optional<Position> end;
  };
  std::optional<Woken> woken_;
  void follow_held();
  bool has_room(std::size_t replica) const;
  Position may_release_;  // what replicas may have been told to release
  Position degraded_to_;  // what the source released without a quorum; null: nothing
  // The server's binlogs were reset, and Binlane does not know yet.
  bool between_streams_ = false;
  bool promised_ = false;                                   // semi-sync was ON once in this stream
  std::map<std::uint64_t, std::uint64_t> session_origins_;  // log offsets, by session
  std::map<std::uint64_t, std::uint64_t> session_durable_;
  std::vector<Exposure> exposures_;
  std::uint64_t looked_ns_ = 0;
  std::set<std::uint64_t> foreign_seen_;  // visits of the foreign acker that some look has shown
  std::uint32_t looks_unguarded_ = 0;     // looks in a row that found SEMISYNC where it must not be
  // GTIDs of this stream, each with its CRC.
  std::map<std::pair<Uuid, std::uint64_t>, std::uint32_t> acked_gtids_;
};

}  // namespace binlane::sim

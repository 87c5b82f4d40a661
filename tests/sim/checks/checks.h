// Checks: the invariants of the design, watched in every step of a simulated run. Each stands in a
// file of its own; each throws Violation with what it saw.
//
//   I1  what a client saw committed under quorum is held by a quorum     i1_quorum_holds.cpp
//   I2  an ACK says no more than the platter holds                       i2_ack_is_true.cpp
//   I3  only logs of the source's own epoch make its quorum              i3_epoch.cpp
//   I4  the ledger knows of every release without a quorum               i4_ledger.cpp
//   I5  durable is prefix-closed and grows                               i5_durable_grows.cpp
//   I6  nothing that was safe is cut                                     i6_cut.cpp
//   I7  the feed gives released bytes, in whole groups                   i7_feed.cpp
//   I8  archive and journal are the source's bytes                       i8_archive.cpp
//   and that no quorum is given to two different things at one place     split_ack.cpp
//
// A replica whose medium lied, or that was replaced, is one of the failures that a quorum rule
// tolerates: it counts as if it held what it has lost.
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
#include "dataplane/frame.h"
#include "dataplane/port.h"
#include "dataplane/quorum_rule.h"
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
  std::uint64_t releases = 0;  // I4: by Binlane itself
  std::uint64_t exposed = 0;   // I4: commits
  std::uint64_t foreign = 0;   // of them, by an ACK that is not ours
  std::uint64_t unwaited = 0;  // of them, by the comparison of names
  std::uint64_t turns = 0;     // I5
  std::uint64_t cuts = 0;      // I6
  std::uint64_t feeds = 0;     // I7
  std::uint64_t bytes = 0;     // I8
  std::uint64_t acked = 0;     // commits under quorum
  std::uint64_t wakings = 0;   // S21: of a source that another host has replaced meanwhile
};

class Checks {
 public:
  explicit Checks(World& world);

  void after_step();
  void at_end();
  // It was degraded, stood still with its server, and goes on.
  void on_source_wakes();
  Position told() const { return told_; }
  // What a power cut would leave of a commit of this stream there.
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
    // I7, I8
    Position fed;
    Position compared;
  };
  struct Exposure {
    Commit commit;
    Uuid origin;
    bool killed = false;  // its group's leader was killed
  };

  void on_packet(const Endpoint& from, ConstBytes bytes);
  void on_answer(const Commit& commit);
  void on_told(Position position);

  void check_quorum_holds(const Commit& commit);
  // It holds a later stream, and this one up to `position` before it.
  bool held_before(const ReplicaHost& replica, const Position& position) const;
  bool sealed() const;  // by a promotion, the stream that positions here are of
  void check_ack(const FrameView& frame, std::size_t replica);
  void note_started(const FrameView& frame, std::size_t replica);
  ReplicaSet holders_in_epoch(Position position, Epoch epoch) const;
  void check_epoch(Position position);
  void check_turning_off();
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
  Position durable_at_source() const;
  ReplicaSet holders_of(const Commit& commit) const;
  [[noreturn]] void fail(const std::string& invariant, const std::string& what) const;
  // The rule in force, with what a failed replica may have held.
  bool satisfied(ReplicaSet holders) const;

  World& world_;
  Random random_;
  CheckCounts counts_;
  std::vector<OfReplica> of_;
  Uuid origin_;  // of the stream that positions here are of
  std::uint64_t resets_ = 0;
  Position told_;  // the newest quorum mark
  Position safe_;  // min(durable on the source, told)
  // S21: since when the old source, woken up, must not have taken writes any more, and where its
  // binlog ended then.
  struct Woken {
    std::uint64_t bound_ns = 0;
    std::uint64_t server_run = 0;
    std::uint64_t starts = 0;  // of the daemon
    std::optional<Position> end;
  };
  std::optional<Woken> woken_;
  Position may_release_;  // what replicas may have been told to release
  // The server's binlogs were reset, and Binlane does not know yet.
  bool between_streams_ = false;
  bool promised_ = false;                                   // semi-sync was on once in this stream
  std::map<std::uint64_t, std::uint64_t> session_origins_;  // log offsets, by session
  std::map<std::uint64_t, std::uint64_t> session_durable_;
  std::vector<Exposure> exposures_;
  std::uint64_t looked_ns_ = 0;
  std::set<std::uint64_t> foreign_seen_;  // visits of the foreign acker that a look has shown
  std::uint32_t looks_unguarded_ = 0;     // in a row, that found SEMISYNC where it must not be
  std::map<std::uint64_t, std::uint32_t> acked_gtids_;  // of this stream: crc
};

}  // namespace binlane::sim

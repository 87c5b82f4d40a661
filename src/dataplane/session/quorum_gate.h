// QuorumGate: turns the replicas' marks into the quorum mark. No I/O, no clock; the source's lane
// owns it.
//
// Marks are linear offsets of the source's stream map. The quorum mark never decreases within an
// incarnation, even if the replica that carried it is lost: what a quorum once had durable remains
// acknowledged. [I1] Only sessions of the current epoch feed it [I3], and one journal counts once
// [S4].
#pragma once

#include <array>
#include <cstdint>

#include "base/uuid.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

class QuorumGate {
 public:
  // A new incarnation begins at `floor`: no replica's marks are known, and the quorum mark is
  // `floor`, which an earlier incarnation has proven.
  void reset(std::uint64_t floor) noexcept;
  void set_rule(const QuorumRule& rule) noexcept;
  const QuorumRule& rule() const noexcept { return rule_; }

  // A session with replica `index` begins. Returns false, and the replica does not count, if
  // another connected replica has the same journal.
  bool connect(std::size_t index, const Uuid& journal_id) noexcept;
  void disconnect(std::size_t index) noexcept;
  // New marks of a connected replica; they only grow.
  void update(std::size_t index, std::uint64_t received, std::uint64_t durable,
              std::uint64_t applied) noexcept;
  // The replica's acknowledged bytes are in doubt (its journal failed), so its durable mark counts
  // no more.
  void exclude(std::size_t index) noexcept;

  // These replicas answer late: FIRST skips them while there are others.
  void set_slow(ReplicaSet slow) noexcept {
    slow_ = slow;
    evaluate();
  }

  std::uint64_t quorum() const noexcept { return quorum_; }
  // The same at level durable, whatever the rule's level is: `released` is computed from this. [S9]
  std::uint64_t durable_quorum() const noexcept { return durable_quorum_; }
  ReplicaSet connected() const noexcept { return connected_; }
  // The connected replicas could complete a quorum.
  bool satisfiable() const noexcept { return rule_.satisfied_by(counted_); }

 private:
  struct Member {
    Uuid journal_id;
    std::array<std::uint64_t, 3> marks{};  // by AckLevel
  };
  static constexpr ReplicaSet bit(std::size_t index) noexcept { return ReplicaSet{1} << index; }
  void evaluate() noexcept;
  std::uint64_t mark_at(AckLevel level) const noexcept;
  std::uint64_t mark_of_any(const QuorumClause& clause, AckLevel level) const noexcept;
  std::uint64_t mark_of_first(const QuorumClause& clause, AckLevel level) const noexcept;

  QuorumRule rule_;
  ReplicaSet connected_ = 0;
  ReplicaSet counted_ = 0;
  ReplicaSet slow_ = 0;
  std::uint64_t quorum_ = 0;
  std::uint64_t durable_quorum_ = 0;
  std::array<Member, kMaxReplicas> members_{};
};

}  // namespace binlane

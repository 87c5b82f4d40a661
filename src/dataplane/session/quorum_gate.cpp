#include "dataplane/session/quorum_gate.h"

#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

void QuorumGate::reset(std::uint64_t floor) noexcept {
  connected_ = counted_ = 0;
  members_ = {};
  quorum_ = durable_quorum_ = floor;
}

void QuorumGate::set_rule(const QuorumRule& rule) noexcept {
  BL_ASSERT(rule.clause_count <= kMaxClauses);
  for (std::uint32_t i = 0; i < rule.clause_count; ++i)
    BL_ASSERT(rule.clauses[i].count > 0 && rule.clauses[i].members >> kMaxReplicas == 0);
  rule_ = rule;
  evaluate();
}

bool QuorumGate::connect(std::size_t index, const Uuid& journal_id) noexcept {
  BL_ASSERT(index < kMaxReplicas);
  disconnect(index);
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    const bool same = (connected_ & bit(i)) != 0 && members_[i].journal_id == journal_id;
    if (BL_MUTANT(replica_counted_twice, false, same)) return false;
  }
  members_[index] = {journal_id, {}};
  connected_ |= bit(index);
  counted_ |= bit(index);
  return true;
}

void QuorumGate::disconnect(std::size_t index) noexcept {
  BL_ASSERT(index < kMaxReplicas);
  connected_ &= ~bit(index);
  counted_ &= ~bit(index);
}

void QuorumGate::exclude(std::size_t index) noexcept {
  BL_ASSERT(index < kMaxReplicas);
  counted_ &= ~bit(index);
}

void QuorumGate::update(std::size_t index, std::uint64_t received, std::uint64_t durable,
                        std::uint64_t applied) noexcept {
  BL_ASSERT(index < kMaxReplicas && (connected_ & bit(index)) != 0);
  BL_ASSERT(applied <= durable && durable <= received);
  auto& marks = members_[index].marks;
  marks[0] = std::max(marks[0], received);
  marks[1] = std::max(marks[1], durable);
  marks[2] = std::max(marks[2], applied);
  evaluate();
}

void QuorumGate::evaluate() noexcept {
  BL_ASSERT((counted_ & ~connected_) == 0);
  quorum_ = std::max(quorum_, mark_at(rule_.level));
  durable_quorum_ = std::max(durable_quorum_, mark_at(AckLevel::durable));
}

// The largest mark that a satisfying set has reached: the smallest over the clauses' marks.
std::uint64_t QuorumGate::mark_at(AckLevel level) const noexcept {
  if (!rule_.satisfied_by(counted_)) return 0;
  std::uint64_t lowest = UINT64_MAX;
  for (std::uint32_t c = 0; c < rule_.clause_count; ++c) {
    const QuorumClause& clause = rule_.clauses[c];
    lowest = std::min(lowest,
                      clause.ordered ? mark_of_first(clause, level) : mark_of_any(clause, level));
  }
  return lowest;
}

// Its k-th largest member mark.
std::uint64_t QuorumGate::mark_of_any(const QuorumClause& clause, AckLevel level) const noexcept {
  std::array<std::uint64_t, kMaxReplicas> marks{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if ((clause.members & counted_ & bit(i)) != 0)
      marks[count++] = members_[i].marks[static_cast<std::size_t>(level)];
  }
  BL_ASSERT(clause.count >= 1 && count >= clause.count);
  const auto kth = marks.begin() + (clause.count - 1);
  std::nth_element(marks.begin(), kth, marks.begin() + static_cast<std::ptrdiff_t>(count),
                   std::greater<>());
  return *kth;
}

// The smallest mark of the first k that are connected; slow ones come last.
std::uint64_t QuorumGate::mark_of_first(const QuorumClause& clause, AckLevel level) const noexcept {
  std::uint64_t lowest = UINT64_MAX;
  std::uint32_t left = clause.count;
  const auto members = static_cast<std::size_t>(std::popcount(clause.members));
  for (const ReplicaSet taken : {counted_ & ~slow_, counted_ & slow_}) {
    for (std::size_t i = 0; i < members && left > 0; ++i) {
      const std::size_t member = clause.order[i];
      if ((taken & bit(member)) == 0) continue;
      lowest = std::min(lowest, members_[member].marks[static_cast<std::size_t>(level)]);
      --left;
    }
  }
  BL_ASSERT(left == 0);
  return lowest;
}

}  // namespace binlane

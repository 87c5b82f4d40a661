// QuorumRule: which sets of replicas make a byte safe. A value that the gate evaluates; the control
// plane parses its text form.
//
// A rule is a conjunction of clauses, each "at least k of these members". `ANY 2 (a, b, c)` is one
// clause, so is `FIRST 1 (a, b)`; zones and AND add further ones. Members are indices into the
// source's table of replicas.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace binlane {

inline constexpr std::size_t kMaxReplicas = 16;
inline constexpr std::size_t kMaxClauses = 8;

// A set of replicas: bit i is replica i.
using ReplicaSet = std::uint32_t;
static_assert(kMaxReplicas <= 32);

// What a replica must have done with a byte for it to count.
enum class AckLevel : std::uint8_t { received, durable, applied };

struct QuorumClause {
  ReplicaSet members = 0;
  std::uint32_t count = 0;  // at least this many of them
  // FIRST: the mark waits for the first `count` that are connected, in `order`, instead of the
  // fastest. The sets that satisfy the clause are the same.
  bool ordered = false;
  std::array<std::uint8_t, kMaxReplicas> order{};

  friend bool operator==(const QuorumClause&, const QuorumClause&) = default;
};

struct QuorumRule {
  std::uint64_t number = 0;  // grows with every change; 0: no rule
  AckLevel level = AckLevel::durable;
  std::uint32_t clause_count = 0;
  std::array<QuorumClause, kMaxClauses> clauses{};

  friend bool operator==(const QuorumRule&, const QuorumRule&) = default;

  // Every clause finds enough of its members in `set`. No set satisfies a rule without clauses.
  constexpr bool satisfied_by(ReplicaSet set) const noexcept {
    for (std::uint32_t i = 0; i < clause_count; ++i) {
      const auto present = static_cast<std::uint32_t>(std::popcount(clauses[i].members & set));
      if (present < clauses[i].count) return false;
    }
    return clause_count > 0;
  }

  // `set` intersects every satisfying set: without its members the rule cannot be satisfied. For
  // ANY W of N that is N - W + 1 replicas. A promotion has to fence and inspect such a set. [S14]
  // No set fences a rule without clauses, because nobody knows what satisfied it.
  constexpr bool is_fence_set(ReplicaSet set) const noexcept {
    return clause_count > 0 && !satisfied_by(~set);
  }
};

}  // namespace binlane

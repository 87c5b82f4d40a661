// The gate: one replica's new mark, by how many replicas the rule counts.
#include "base/assert.h"
#include "counted.h"
#include "dataplane/session/quorum_gate.h"

namespace binlane::bench {
namespace {

QuorumGate majority_of(std::size_t replicas) {
  QuorumRule rule;
  rule.number = 1;
  rule.clause_count = 1;
  rule.clauses[0].members = static_cast<ReplicaSet>((std::uint64_t{1} << replicas) - 1);
  rule.clauses[0].count = static_cast<std::uint32_t>(replicas / 2 + 1);
  QuorumGate gate;
  gate.reset(0);
  gate.set_rule(rule);
  for (std::size_t i = 0; i < replicas; ++i) {
    Uuid journal;
    journal.bytes[0] = static_cast<std::uint8_t>(i + 1);
    BL_ASSERT(gate.connect(i, journal));
  }
  return gate;
}

void update(benchmark::State& state) {
  const auto replicas = static_cast<std::size_t>(state.range(0));
  QuorumGate gate = majority_of(replicas);
  std::size_t replica = 0;
  std::uint64_t mark = 0;
  run_counted(state, [&] {
    if (replica == 0) mark += 100;
    gate.update(replica, mark, mark, 0);
    replica = replica + 1 == replicas ? 0 : replica + 1;
    benchmark::DoNotOptimize(gate.quorum());
  });
  if (mark > 100 && gate.quorum() == 0) state.SkipWithError("no quorum came about");
}
BENCHMARK(update)->Name("gate_update/replicas")->RangeMultiplier(2)->Range(1, kMaxReplicas);

}  // namespace
}  // namespace binlane::bench

// The stage timestamps of one commit, on the source's lane and on one replica's: what "always on"
// costs. A commit's way takes hundreds of microseconds.
#include <memory>

#include "base/clock.h"
#include "counted.h"
#include "dataplane/lane/commit_tracer.h"
#include "dataplane/lane/write_timer.h"

namespace binlane::bench {
namespace {

constexpr std::uint64_t kGroup = 300;
constexpr std::uint64_t kStageTurnNs = 5 * kNanosPerMicro;
constexpr std::size_t kReplica = 0;

void stages_of_a_commit(benchmark::State& state) {
  const auto stages = std::make_unique<CommitTracer>();
  WriteTimer write;
  std::uint64_t mark = 0;
  std::uint64_t now_ns = kNanosPerSecond;
  std::uint32_t id = 0;
  run_counted(state, [&] {
    mark += kGroup;
    now_ns += kStageTurnNs;
    stages->on_written(mark, {1, mark}, now_ns - kStageTurnNs, now_ns);
    stages->on_sent(kReplica, mark, now_ns);
    write.on_arrival(now_ns);
    write.on_submitted(id, 1, now_ns);
    now_ns += kStageTurnNs;
    stages->on_received(kReplica, mark, now_ns);
    write.on_completed(id++, now_ns);
    now_ns += kStageTurnNs;
    stages->on_durable(kReplica, mark, write.queue_ns(), write.disk_ns(), now_ns);
    stages->on_quorum(mark, now_ns);
    stages->on_released(mark, now_ns);
  });
  if (stages->released().counts().count() != static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("a commit was not measured");
}
BENCHMARK(stages_of_a_commit);

}  // namespace
}  // namespace binlane::bench

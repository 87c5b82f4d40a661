// The queue between two agents: a push and a pop of one value on one thread. What crossing cores
// adds is the machine's; `binlane-bench transport` shows that end to end.
#include <memory>

#include "base/spsc_queue.h"
#include "counted.h"
#include "dataplane/lane/source_queues.h"

namespace binlane::bench {
namespace {

template <class Value>
void push_pop(benchmark::State& state) {
  const auto queue = std::make_unique<SpscQueue<Value, kLaneQueue>>();
  Value value{};
  run_counted(state, [&] {
    if (!queue->try_push(value) || !queue->try_pop(value)) state.SkipWithError("the queue is full");
    benchmark::DoNotOptimize(value);
  });
}
BENCHMARK_TEMPLATE(push_pop, std::uint64_t)->Name("queue_push_pop/sequence");
BENCHMARK_TEMPLATE(push_pop, SourceEvent)->Name("queue_push_pop/source_event");
BENCHMARK_TEMPLATE(push_pop, SourceCommand)->Name("queue_push_pop/source_command");

}  // namespace
}  // namespace binlane::bench

// Event parsing: a transaction's bytes through the group tracker, as the tailer feeds them.
#include "counted.h"
#include "shim/binlog/group_tracker.h"
#include "support/binlog_writer.h"

namespace binlane::bench {
namespace {

void follow(benchmark::State& state) {
  // A file's beginning, and one transaction that is fed over and over. Its own offsets are those of
  // its first place, which a tracker does not check.
  test::BinlogWriter writer;
  writer.begin({});
  const test::Bytes beginning = writer.take();
  writer.transaction(1, static_cast<std::size_t>(state.range(0)));
  const test::Bytes transaction = writer.take();
  GroupTracker tracker;
  tracker.start_file(1);
  if (!tracker.on_bytes(0, beginning)) state.SkipWithError("the file's beginning is refused");
  run_counted(state, [&] {
    if (!tracker.on_bytes(tracker.end().offset, transaction))
      state.SkipWithError("a transaction is refused");
  });
  if (tracker.group_count() < static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("groups were missed");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * transaction.size()));
}
BENCHMARK(follow)->Name("event_parsing/row_bytes")->Arg(100)->Arg(1000)->Arg(16384);

}  // namespace
}  // namespace binlane::bench

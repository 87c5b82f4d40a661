// The journal's logic: a commit appended, sealed into blocks, "written" (the completion is made up)
// and released. The disk itself is `binlane-bench journal`.
#include <vector>

#include "counted.h"
#include "storage/journal/journal.h"
#include "support/journal_memory.h"

namespace binlane::bench {
namespace {

constexpr std::uint32_t kBlocks = 1024;

void build(benchmark::State& state) {
  JournalMemory memory(kBlocks);
  JournalStart start;
  start.journal_id = 1;
  Journal journal(memory.image(), start);
  journal.begin_at({1, 0});
  const std::vector<std::byte> commit(static_cast<std::size_t>(state.range(0)), std::byte{0x42});
  run_counted(state, [&] {
    if (!journal.append(journal.end(), commit)) state.SkipWithError("the ring has no room");
    while (const auto write = journal.next_write())
      journal.on_completion({write->id, static_cast<std::int32_t>(write->length)});
    journal.release(journal.durable_log());
    journal.on_archived(journal.release_mark().sequence - 1);
  });
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(build)->Name("journal_block_building/commit_bytes")->Arg(300)->Arg(3968)->Arg(65536);

void checksum(benchmark::State& state) {
  JournalMemory memory(1);
  run_counted(state, [&] { benchmark::DoNotOptimize(block_crc(memory.block(0))); });
}
BENCHMARK(checksum)->Name("journal_block_checksum");

}  // namespace
}  // namespace binlane::bench

// The lane's rule: a journal allocates nothing after its construction, nor does its disk after
// attach().
#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "storage/journal/journal.h"
#include "storage/journal/journal_disk.h"
#include "support/allocation_counter.h"
#include "support/journal_memory.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

TEST(JournalAllocation, NoneAfterTheStart) {
  const TemporaryDirectory folder;
  JournalFile file = JournalFile::open_or_format({folder.file("journal"), 64 * kBlockSize, false});
  Journal journal(file.image(), file.start());
  JournalDisk disk(file);
  disk.attach();
  journal.begin_at({1, 0});
  JournalCursor cursor(journal, {});
  const std::array<std::byte, 5000> bytes{};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);

  const std::uint64_t before = test::allocation_count();
  std::uint32_t incarnation = 0;
  for (int i = 0; i < 200; ++i) {
    bool appended = journal.append(journal.end(), ConstBytes(bytes).first(1 + i * 23 % 5000));
    if (i % 40 == 7)
      appended &= journal.append_file_end({journal.end().file, journal.end().offset, 0, 0});
    if (i % 40 == 9) appended &= journal.start_epoch({1, ++incarnation});
    while (!journal.idle() && std::chrono::steady_clock::now() < deadline) {
      while (const auto write = journal.next_write()) disk.submit(*write);
      std::array<DiskCompletion, kMaxWritesInFlight> done;
      const std::size_t count = disk.reap(done);
      for (std::size_t k = 0; k < count; ++k) journal.on_completion(done[k]);
      if (count == 0) disk.wait(kNanosPerMilli);
    }
    if (i % 40 == 11) appended &= journal.cut(journal.released_log(), {1, ++incarnation});
    journal.release(journal.durable_log());
    while (cursor.next(journal.release_mark())) {
    }
    journal.on_archived(cursor.consumed().sequence);
    if (!appended) break;
  }
  const std::uint64_t after = test::allocation_count();
  EXPECT_EQ(after, before);
  EXPECT_GT(journal.last_sequence(), 200u);
  EXPECT_FALSE(journal.failed());
}

}  // namespace
}  // namespace binlane

#include "journal.h"

#include <array>
#include <vector>

#include "bare_file.h"
#include "base/error.h"
#include "lanes/near_end.h"
#include "measure.h"
#include "rows.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_disk.h"

namespace binlane::bench {
namespace {

// Until `append` returns, in nanoseconds.
template <class Appender>
std::uint64_t timed_append(Appender& appender) {
  const std::uint64_t begin_ns = monotonic_ns();
  appender.append();
  return monotonic_ns() - begin_ns;
}

// The journal and its disk as the replica's lane turns them, one append of a full block at a time.
class Production {
 public:
  Production(const JournalOptions& options, const std::string& path)
      : file_(
            JournalFile::open_or_format({path, std::uint64_t{options.blocks} * kBlockSize, false})),
        journal_(file_.image(), file_.start()),
        disk_(file_),
        idle_(idle_of(options.idle)) {
    disk_.attach();
    journal_.begin_at({1, 0});
  }

  void append() {
    if (!journal_.append(journal_.end(), bytes_)) throw StartupError("the journal has no room");
    while (journal_.durable_log() < journal_.end_log()) {
      const std::size_t work = turn();
      if (journal_.failed()) throw StartupError("the journal failed");
      idle_.after_turn(work, work);
    }
    // No archive: what is durable is free again.
    journal_.release(journal_.durable_log());
    journal_.on_archived(journal_.release_mark().sequence - 1);
  }
  std::string describe() const { return disk_.describe(); }

 private:
  std::size_t turn() {
    std::array<DiskCompletion, kMaxWritesInFlight> done;
    const std::size_t count = disk_.reap(done);
    for (std::size_t i = 0; i < count; ++i) journal_.on_completion(done[i]);
    std::size_t writes = 0;
    for (; const auto write = journal_.next_write(); ++writes) disk_.submit(*write);
    return count + writes;
  }

  JournalFile file_;
  Journal journal_;
  JournalDisk disk_;
  IdleStrategy idle_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kBlockPayloadSize, std::byte{0x42});
};

class Bare {
 public:
  Bare(const JournalOptions& options, const std::string& path)
      : file_(path, options.blocks), idle_(idle_of(options.idle)) {}

  void append() {
    file_.ring().submit(offset_, kBlockSize);
    file_.ring().wait_one(kBlockSize, idle_);
    offset_ = (offset_ + kBlockSize) % file_.size();
  }

 private:
  BareFile file_;
  IdleStrategy idle_;
  std::uint64_t offset_ = 0;
};

}  // namespace

int run_journal(const JournalOptions& options) {
  const BenchFolder folder(options.folder);
  Production production(options, folder.path() + "/journal");
  Bare bare(options, folder.path() + "/bare");
  Rows rows;
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    rows.add("journal", round, {{"bytes", kBlockSize}, {"disk", production.describe()}},
             measure(options.seconds, [&] { return timed_append(production); }));
    rows.add("journal_raw", round, {{"bytes", kBlockSize}},
             measure(options.seconds, [&] { return timed_append(bare); }));
  }
  rows.write(options.json_path);
  return 0;
}

}  // namespace binlane::bench

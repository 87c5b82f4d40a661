#include "journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "bare_ring.h"
#include "base/error.h"
#include "lanes/near_end.h"
#include "rows.h"
#include "storage/journal.h"
#include "storage/journal_disk.h"

namespace binlane::bench {
namespace {

constexpr std::uint64_t kNapUs = 100;
constexpr double kWarmUpPart = 0.1;

std::uint64_t nanos(double seconds) {
  return static_cast<std::uint64_t>(seconds * static_cast<double>(kNanosPerSecond));
}

template <class Once>
Histogram measure(double seconds, Once once) {
  const std::uint64_t warm_ns = monotonic_ns() + nanos(seconds * kWarmUpPart);
  while (monotonic_ns() < warm_ns) once();
  Histogram histogram;
  const std::uint64_t end_ns = monotonic_ns() + nanos(seconds);
  while (monotonic_ns() < end_ns) {
    const std::uint64_t begin_ns = monotonic_ns();
    once();
    histogram.record(monotonic_ns() - begin_ns);
  }
  return histogram;
}

// The journal and its disk as the replica's lane turns them, one append of a full block at a time.
class Production {
 public:
  Production(const JournalOptions& options, const std::string& path)
      : file_(
            JournalFile::open_or_format({path, std::uint64_t{options.blocks} * kBlockSize, false})),
        journal_(file_.image(), file_.start()),
        disk_(file_),
        idle_(options.idle, kNapUs) {
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
  Idle idle_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kBlockPayloadSize, std::byte{0x42});
};

// A file of its own, made as the journal's is: written once, so that every write overwrites.
class Bare {
 public:
  Bare(const JournalOptions& options, const std::string& path)
      : image_(std::size_t{options.blocks} * kBlockSize),
        file_(make(path, image_.bytes())),
        ring_(file_.get(), image_.bytes()),
        idle_(options.idle, kNapUs) {}

  void append() {
    ring_.submit(offset_, kBlockSize);
    ring_.wait_one(kBlockSize, idle_);
    offset_ = (offset_ + kBlockSize) % image_.bytes().size();
  }

 private:
  static int make(const std::string& path, ConstBytes zeros) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (descriptor < 0 || write_all(descriptor, zeros, 0) != 0 || ::fsync(descriptor) != 0)
      throw StartupError(fmt::format("cannot make {}: {}", path, errno_text(errno)));
    return descriptor;
  }

  JournalImage image_;
  FileDescriptor file_;
  BareRing ring_;
  Idle idle_;
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
             measure(options.seconds, [&] { production.append(); }));
    rows.add("journal_raw", round, {{"bytes", kBlockSize}},
             measure(options.seconds, [&] { bare.append(); }));
  }
  rows.write(options.json_path);
  return 0;
}

}  // namespace binlane::bench

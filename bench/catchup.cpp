#include "catchup.h"

#include <fmt/format.h>

#include "bare_file.h"
#include "base/error.h"
#include "lanes/near_end.h"
#include "measure.h"
#include "rows.h"
#include "storage/journal/journal.h"

namespace binlane::bench {
namespace {

// One write of the journal's largest batch.
constexpr std::uint32_t kWriteBytes = kMaxBatchBlocks * kBlockSize;

// Sequential durable writes of the journal's largest batch, in bytes per second: as many of them in
// flight as the journal has.
double raw_write(const CatchUpOptions& options, const std::string& path) {
  BareFile file(path, options.blocks);
  BareRing& ring = file.ring();
  IdleStrategy idle = idle_of(options.idle);
  const std::uint64_t begin_ns = monotonic_ns();
  std::uint64_t submitted = 0;
  const auto submit = [&] {
    ring.submit(submitted % file.size(), kWriteBytes);
    submitted += kWriteBytes;
  };
  for (std::size_t i = 0; i < kMaxWritesInFlight; ++i) submit();
  std::uint64_t durable = 0;
  while (monotonic_ns() - begin_ns < nanos(options.seconds)) {
    ring.wait_one(kWriteBytes, idle);
    durable += kWriteBytes;
    submit();
  }
  const double rate = static_cast<double>(durable) * kNanosPerSecond /
                      static_cast<double>(monotonic_ns() - begin_ns);
  // Nothing may be in flight into memory that is gone.
  for (; durable < submitted; durable += kWriteBytes) ring.wait_one(kWriteBytes, idle);
  return rate;
}

}  // namespace

int run_catchup(const CatchUpOptions& options) {
  if (options.blocks % kMaxBatchBlocks != 0)
    throw StartupError(fmt::format("--blocks must be a multiple of {}", kMaxBatchBlocks));
  const BenchFolder folder(options.folder);
  const BenchFolder sockets;  // whose paths must be short and absolute
  FarEndOptions far;
  far.port = "vhost";
  far.folder = sockets.path();
  far.idle = options.idle;
  far.journal_blocks = options.blocks;
  far.journal_path = folder.path() + "/journal";
  NearEnd near(far);
  near.connect();
  Rows rows;
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    rows.add("catchup", round, {{"bytes_per_s", near.catch_up(options.seconds)}});
    rows.add("catchup_raw_port", round, {{"bytes_per_s", near.raw_throughput(options.seconds)}});
    rows.add("catchup_raw_write", round,
             {{"bytes_per_s", raw_write(options, folder.path() + "/bare")}});
  }
  rows.write(options.json_path);
  return 0;
}

}  // namespace binlane::bench

// The device of a replica's journal, for `binlane doctor`.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/doctor/checkup.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr std::size_t kWrites = 1000;
constexpr std::size_t kBlock = 4096;
constexpr std::size_t kBlocksInFile = 256;
// A write that takes longer than this is too slow for a commit that waits.
constexpr std::uint64_t kSlowWriteNs = 5 * kNanosPerMilli;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

struct Unlinked {
  std::string path;
  ~Unlinked() { ::unlink(path.c_str()); }
};

struct AlignedBlock {
  alignas(kBlock) std::array<char, kBlock> bytes{};
};

// "write back" and the like of the device that holds the file; empty if it is unknown.
std::string cache_mode(const struct stat& facts) {
  const std::string device =
      fmt::format("/sys/dev/block/{}:{}", major(facts.st_dev), minor(facts.st_dev));
  for (const char* part : {"/queue/write_cache", "/../queue/write_cache"}) {
    std::ifstream file(device + part);
    std::string mode;
    if (std::getline(file, mode)) return mode;
  }
  return {};
}

void check_file_system(const std::string& folder, Findings& found) {
  struct statfs system {};
  if (::statfs(folder.c_str(), &system) != 0) return;
  const bool volatile_one =
      system.f_type == TMPFS_MAGIC || static_cast<unsigned long>(system.f_type) == RAMFS_MAGIC;
  if (volatile_one)
    found.push_back({CheckSeverity::fault, "journal",
                     fmt::format("{} is in memory: nothing there survives a power cut", folder),
                     "move the journal to a disk"});
  else if (system.f_type == OVERLAYFS_SUPER_MAGIC || system.f_type == NFS_SUPER_MAGIC)
    found.push_back({CheckSeverity::warning, "journal",
                     fmt::format("{} is on a file system that adds latency of its own", folder),
                     "use ext4 or xfs on a local device"});
}

// Times of single durable writes, sorted; an errno in `error`.
std::vector<std::uint64_t> timed_writes(int file, int& error) {
  const auto block = std::make_unique<AlignedBlock>();
  std::vector<std::uint64_t> times;
  times.reserve(kWrites);
  for (std::size_t i = 0; i < kWrites; ++i) {
    const iovec vector{block->bytes.data(), kBlock};
    const auto offset = static_cast<off_t>(i % kBlocksInFile * kBlock);
    const std::uint64_t begin_ns = monotonic_ns();
    if (::pwritev2(file, &vector, 1, offset, RWF_DSYNC) != static_cast<ssize_t>(kBlock)) {
      error = errno;
      return {};
    }
    times.push_back(monotonic_ns() - begin_ns);
  }
  std::sort(times.begin(), times.end());
  return times;
}

void check_writes(const std::string& folder, Findings& found) {
  const Unlinked path{folder + "/.binlane-doctor"};
  // Removes what an ended doctor has left; a link that somebody else has put there is not followed.
  ::unlink(path.path.c_str());
  FileDescriptor file(::open(path.path.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECT | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    found.push_back(
        {CheckSeverity::fault, "journal",
         fmt::format("no file can be opened with O_DIRECT in {}: {}", folder, errno_text(errno)),
         "use another file system, or correct the permissions"});
    return;
  }
  int error = 0;
  timed_writes(file.get(), error);  // written once, because only overwrites show the journal's time
  const std::vector<std::uint64_t> times =
      error == 0 ? timed_writes(file.get(), error) : std::vector<std::uint64_t>{};
  if (times.empty()) {
    found.push_back({CheckSeverity::fault, "journal",
                     fmt::format("a durable write in {} failed: {}", folder, errno_text(error)),
                     "another device"});
    return;
  }
  const auto at = [&times](double part) {
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  const bool slow = at(0.99) > kSlowWriteNs;
  found.push_back(
      {slow ? CheckSeverity::warning : CheckSeverity::fine, "journal",
       fmt::format("{} durable 4 KiB writes in {}: p50 {} us, p99 {} us, max {} us", times.size(),
                   folder, at(0.5) / kNanosPerMicro, at(0.99) / kNanosPerMicro,
                   times.back() / kNanosPerMicro),
       slow ? "use a device with power-loss protection, and keep other load off it" : ""});
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return;
  const std::string mode = cache_mode(facts);
  if (mode == "write back")
    found.push_back({CheckSeverity::fine, "journal",
                     "the device has a volatile cache: each write is followed by a flush (or is "
                     "FUA), which is durable but slower",
                     ""});
}

}  // namespace

Findings check_disk(const Config& config) {
  Findings found;
  const std::string folder = folder_of(config.replica->journal);
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) {
    found.push_back({CheckSeverity::fault, "journal",
                     fmt::format("{}: {}", folder, errno_text(errno)), "create the folder"});
    return found;
  }
  check_file_system(folder, found);
  check_writes(folder, found);
  return found;
}

}  // namespace binlane

#include "storage/journal/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sleep.h"
#include "storage/file_mode.h"
#include "storage/journal/block.h"

namespace binlane {
namespace {

constexpr std::size_t kTransferSize = std::size_t{1} << 20;
static_assert(kTransferSize % kBlockSize == 0);
// How long a killed process may take to end its writes in flight.
constexpr std::uint64_t kLockWaitNs = 20 * kNanosPerSecond;
constexpr std::uint64_t kLockPauseNs = 5 * kNanosPerMilli;

std::string meta_path(const std::string& path) {
  return path + ".meta";
}

// The file system's name for statfs(2)'s type, for those that operators meet.
std::string file_system_name(int descriptor) {
  struct statfs status {};
  if (::fstatfs(descriptor, &status) != 0) return "an unknown file system";
  switch (static_cast<unsigned long>(status.f_type)) {
    case 0x01021994:
      return "tmpfs";
    case 0x858458f6:
      return "ramfs";
    case 0x794c7630:
      return "overlayfs";
    case 0xef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x2fc12fc1:
      return "zfs";
    case 0x6969:
      return "nfs";
    case 0x65735546:
      return "fuse";
    default:
      return fmt::format("a file system of type {:#x}", static_cast<unsigned long>(status.f_type));
  }
}

// Kernels since 6.6 accept O_DIRECT on memory file systems, which survive no power cut.
bool is_in_memory(int descriptor) {
  const std::string name = file_system_name(descriptor);
  return name == "tmpfs" || name == "ramfs";
}

[[noreturn]] void refuse_direct(const std::string& path, const std::string& file_system,
                                const std::string& reason) {
  throw StartupError(fmt::format(
      "{}: the journal cannot be on {}: {}; put it on a disk, or, for a test that need not survive "
      "a power cut, set danger_buffered_journal",
      path, file_system, reason));
}

// Opens a ring's file in the mode that the options ask for.
FileDescriptor open_file(const JournalFileOptions& options, const std::string& path, int flags) {
  FileDescriptor file(::open(path.c_str(), flags | O_RDWR | O_CLOEXEC, kPrivateFileMode));
  if (!file.is_open()) {
    throw StartupError(
        fmt::format("{}: the journal cannot be opened: {}", path, errno_text(errno)));
  }
  if (options.danger_buffered) return file;
  const std::string file_system = file_system_name(file.get());
  if (is_in_memory(file.get())) refuse_direct(path, file_system, "it keeps its files in memory");
  // Set afterwards, so that a refusal does not look like a missing file.
  if (::fcntl(file.get(), F_SETFL, O_DIRECT) != 0) {
    refuse_direct(path, file_system, "it refuses O_DIRECT");
  }
#if defined(STATX_DIOALIGN)
  struct statx status {};
  if (::statx(file.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
      (status.stx_mask & STATX_DIOALIGN) != 0 &&
      (status.stx_dio_offset_align == 0 || kBlockSize % status.stx_dio_offset_align != 0 ||
       kBlockSize % status.stx_dio_mem_align != 0)) {
    refuse_direct(path, file_system,
                  fmt::format("it requires direct writes aligned to {} bytes, but blocks have {}",
                              status.stx_dio_offset_align, kBlockSize));
  }
#endif
  return file;
}

std::uint32_t block_count_of(const JournalFileOptions& options) {
  const std::uint64_t count = options.size_bytes / kBlockSize;
  if (options.size_bytes % kBlockSize != 0 || count < kMinJournalBlocks || count > UINT32_MAX) {
    throw StartupError(
        fmt::format("{}: a journal of {} bytes is not possible: at least {} blocks of {} bytes",
                    options.path, options.size_bytes, kMinJournalBlocks, kBlockSize));
  }
  return static_cast<std::uint32_t>(count);
}

// Whether a file holds nothing but zeros, which is all that an interrupted format leaves.
bool is_blank(const JournalFileOptions& options) {
  const FileDescriptor file = open_file(options, options.path, 0);
  JournalImage buffer(kTransferSize);
  for (std::uint64_t offset = 0;; offset += kTransferSize) {
    const std::int64_t count = read_all(file.get(), buffer.bytes(), offset);
    if (count < 0) return false;
    const auto read = ConstBytes(buffer.bytes()).first(static_cast<std::size_t>(count));
    if (std::any_of(read.begin(), read.end(), [](std::byte b) { return b != std::byte{0}; })) {
      return false;
    }
    if (read.size() < kTransferSize) return true;
  }
}

bool file_exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void write_zeros(const JournalFileOptions& options, const FileDescriptor& file,
                 const std::string& path) {
  JournalImage zeros(kTransferSize);
  for (std::uint64_t offset = 0; offset < options.size_bytes; offset += kTransferSize) {
    const auto length = std::min<std::uint64_t>(kTransferSize, options.size_bytes - offset);
    const int error = write_all(file.get(), zeros.bytes().first(length), offset);
    if (error != 0) {
      ::unlink(path.c_str());
      throw StartupError(fmt::format("{}: formatting a journal of {} bytes failed at {}: {}",
                                     options.path, options.size_bytes, offset, errno_text(error)));
    }
  }
  if (::fsync(file.get()) != 0) {
    throw StartupError(
        fmt::format("{}: syncing the new journal failed: {}", options.path, errno_text(errno)));
  }
}

// If the image were swapped out, a lane would wait for a disk. If locking is not allowed the
// journal works all the same, and says so once in each process.
void keep_in_memory(void* memory, std::size_t size) {
  if (::mlock(memory, size) == 0) return;
  static std::atomic<bool> said{false};
  if (!said.exchange(true))
    log::warning("journal_memory",
                 "{} bytes of the journal's memory cannot be locked ({}): under memory pressure it "
                 "is swapped out. The packaged unit has LimitMEMLOCK=infinity",
                 size, errno_text(errno));
}

}  // namespace

JournalImage::JournalImage(std::size_t size) {
  const auto refuse = [size] {
    throw StartupError(
        fmt::format("{} bytes of memory for the journal: {}", size, errno_text(errno)));
  };
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) refuse();
  bytes_ = {static_cast<std::byte*>(memory), size};
  // This is advice only, and has no effect once the pages exist; without it there are more TLB
  // misses.
  [[maybe_unused]] const int ignored = ::madvise(memory, size, MADV_HUGEPAGE);
  // A lane takes no page faults. EINVAL: Linux before 5.14; recovery touches every page as well.
  if (::madvise(memory, size, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) refuse();
  // The image holds rows of every database, which must not be in a core dump.
  if (::madvise(memory, size, MADV_DONTDUMP) != 0)
    log::warning("journal_memory", "the journal's memory would be in a core dump: {}",
                 errno_text(errno));
  keep_in_memory(memory, size);
}

JournalImage::~JournalImage() {
  ::munmap(bytes_.data(), bytes_.size());
}

void JournalFile::format(const JournalFileOptions& options) {
  const std::uint32_t block_count = block_count_of(options);
  if (DurableRecord::exists(meta_path(options.path))) {
    throw StartupError(
        fmt::format("{}: a journal exists already ({})", options.path, meta_path(options.path)));
  }
  if (file_exists(options.path) && !is_blank(options)) {
    throw StartupError(
        fmt::format("{}: the file holds data, but its superblock {} is missing; restore the "
                    "superblock, or remove the file if the journal may be lost",
                    options.path, meta_path(options.path)));
  }
  // The ring appears complete under its name, and the superblock after it. So a journal exists when
  // both do, whatever interrupts this.
  const std::string temporary = options.path + ".new";
  ::unlink(temporary.c_str());
  const FileDescriptor file = open_file(options, temporary, O_CREAT | O_EXCL);
  write_zeros(options, file, temporary);
  if (::rename(temporary.c_str(), options.path.c_str()) != 0) {
    throw StartupError(
        fmt::format("{}: naming the new journal failed: {}", options.path, errno_text(errno)));
  }
  if (const int error = sync_directory(parent_directory(options.path)); error != 0) {
    throw StartupError(fmt::format("{}: syncing the journal's folder failed: {}", options.path,
                                   errno_text(error)));
  }
  const JournalMeta meta = new_journal_meta(block_count, PromiseRecord(options.path).promise());
  DurableRecord record(meta_path(options.path));
  if (const int error = record.store(encode_journal_meta(meta)); error != 0) {
    throw StartupError(fmt::format("{}: {}", record.path(), errno_text(error)));
  }
}

JournalFile JournalFile::open_or_format(const JournalFileOptions& options) {
  // A superblock in which nothing was stored yet is that of an interrupted format.
  const std::string path = meta_path(options.path);
  if (DurableRecord::exists(path) && !DurableRecord(path).load()) ::unlink(path.c_str());
  if (!DurableRecord::exists(path)) format(options);
  return JournalFile(options);
}

JournalFile::JournalFile(const JournalFileOptions& options)
    : options_(options),
      image_(std::size_t{block_count_of(options)} * kBlockSize),
      record_([&options] {
        if (!DurableRecord::exists(meta_path(options.path))) {
          throw StartupError(fmt::format("{}: there is no journal ({} is missing)", options.path,
                                         meta_path(options.path)));
        }
        return DurableRecord(meta_path(options.path));
      }()) {
  const JournalMeta found = load_meta();
  load(found);
  open_ring();
  promise_.emplace(options_.path);
  read_ring();
  recovered_ = recover_journal(image_.bytes(), found);
  if (!recovered_.refusal.empty()) {
    throw StartupError(fmt::format("{}: {}", options_.path, recovered_.refusal));
  }
  const JournalStart& start = recovered_.start;
  const int error = update([&start](JournalMeta& meta) { meta = superblock_after(meta, start); });
  if (error != 0) {
    throw StartupError(fmt::format("{}: {}", record_.path(), errno_text(error)));
  }
  report();
}

// What an operator should know about this opening.
void JournalFile::report() const {
  if (record_.slot_was_damaged()) {
    log::warning("journal_superblock_copy_damaged",
                 "{}: one of the two copies does not validate; the other one is used",
                 record_.path());
  }
  if (unreadable_blocks_ > 0) {
    log::error("journal_unreadable", "{}: {} blocks cannot be read", options_.path,
               unreadable_blocks_);
  }
  if (recovered_.damage) {
    const JournalDamage& damage = *recovered_.damage;
    log::error("journal_damaged",
               "{}: block {} ({}) is lost and may have been acknowledged, as may all blocks up to "
               "{}; the log ends at {}, and is incomplete until it reaches {} again",
               options_.path, damage.first_sequence, damage.row, damage.durable_sequence,
               to_string(damage.before), to_string(damage.until.position));
  }
}

JournalMeta JournalFile::load_meta() const {
  if (!record_.load()) {
    throw StartupError(
        fmt::format("{}: the journal was never completely formatted; remove it", options_.path));
  }
  std::string reason;
  const std::optional<JournalMeta> meta = decode_journal_meta(*record_.load(), reason);
  if (!meta) throw StartupError(fmt::format("{}: {}", record_.path(), reason));
  if (meta->block_count != options_.size_bytes / kBlockSize) {
    throw StartupError(fmt::format(
        "{}: the journal has {} bytes, but {} are configured; a journal keeps its size: configure "
        "that size, or drain and re-create the journal",
        options_.path, std::uint64_t{meta->block_count} * kBlockSize, options_.size_bytes));
  }
  return *meta;
}

void JournalFile::open_ring() {
  file_ = open_file(options_, options_.path, 0);
  lock_ring();
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) {
    throw StartupError(fmt::format("{}: {}", options_.path, errno_text(errno)));
  }
  if (S_ISREG(status.st_mode) &&
      static_cast<std::uint64_t>(status.st_size) != options_.size_bytes) {
    throw StartupError(fmt::format("{}: the journal's file has {} bytes instead of {}",
                                   options_.path, status.st_size, options_.size_bytes));
  }
  // Writes that a killed process had in flight may be in the device's cache only. What recovery
  // reads will be called durable, so it has to be.
  if (::fdatasync(file_.get()) != 0) {
    throw StartupError(
        fmt::format("{}: syncing the journal failed: {}", options_.path, errno_text(errno)));
  }
}

// The superblock's lock has already shown that no other process uses this journal. The io_uring of
// a killed process keeps this second lock until its last write has ended; the ring must not be read
// before that.
void JournalFile::lock_ring() {
  const std::uint64_t begin_ns = monotonic_ns();
  for (;;) {
    const int error = lock_exclusively(file_.get());
    if (error == 0) return;
    if (error != EWOULDBLOCK || monotonic_ns() - begin_ns > kLockWaitNs) {
      throw StartupError(
          fmt::format("{}: the journal cannot be locked; a process that has ended may still have "
                      "writes in flight: {}",
                      options_.path, errno_text(error)));
    }
    sleep_for_ns(kLockPauseNs);
  }
}

void JournalFile::read_ring() {
  const MutableBytes image = image_.bytes();
  for (std::size_t offset = 0; offset < image.size(); offset += kTransferSize) {
    const auto chunk = image.subspan(offset, std::min(kTransferSize, image.size() - offset));
    if (read_all(file_.get(), chunk, offset) == static_cast<std::int64_t>(chunk.size())) continue;
    // One bad sector must not hide the other blocks.
    for (std::size_t at = 0; at < chunk.size(); at += kBlockSize) {
      const auto block = chunk.subspan(at, kBlockSize);
      if (read_all(file_.get(), block, offset + at) == static_cast<std::int64_t>(kBlockSize)) {
        continue;
      }
      std::fill(block.begin(), block.end(), kUnreadableFill);
      ++unreadable_blocks_;
    }
  }
}

// A copy of a promise that is stored too early does no harm; one that is stored too late could be
// lost with the journal.
int JournalFile::store(const JournalMeta& meta) {
  if (const int error = promise_->store(meta.promise); error != 0) return error;
  return record_.store(encode_journal_meta(meta));
}

}  // namespace binlane

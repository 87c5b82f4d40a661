#include "storage/journal/uring_disk.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

namespace binlane {
namespace {

// Room for the writes in flight, with some to spare; the kernel rounds to a power of two anyway.
constexpr unsigned kRingEntries = 8;
static_assert(kRingEntries >= kMaxWritesInFlight);

// The best flags first; a kernel that does not know them answers EINVAL.
constexpr unsigned kLadder[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    0,
};

}  // namespace

std::string to_string(const UringSetup& setup) {
  std::string text = "io_uring";
  const auto add = [&text](bool on, const char* name) {
    if (on) text += fmt::format("{} {}", text == "io_uring" ? ":" : ",", name);
  };
  add(setup.single_issuer, "single issuer");
  add(setup.deferred_taskrun, "deferred task run");
  add(setup.taskrun_flag, "task run flag");
  add(setup.registered_file, "registered file");
  add(setup.registered_buffer, "registered buffer");
  return text;
}

UringDisk::UringDisk(int descriptor, ConstBytes image) : descriptor_(descriptor) {
  make_ring();
  register_resources(image);
}

UringDisk::~UringDisk() {
  ::io_uring_queue_exit(&ring_);
}

void UringDisk::make_ring() {
  int error = -EINVAL;
  for (const unsigned flags : kLadder) {
    error = ::io_uring_queue_init(kRingEntries, &ring_, flags);
    if (error != -EINVAL) {
      starts_disabled_ = (flags & IORING_SETUP_R_DISABLED) != 0;
      setup_.single_issuer = (flags & IORING_SETUP_SINGLE_ISSUER) != 0;
      setup_.deferred_taskrun = (flags & IORING_SETUP_DEFER_TASKRUN) != 0;
      setup_.taskrun_flag = (flags & IORING_SETUP_TASKRUN_FLAG) != 0;
      break;
    }
  }
  if (error != 0) {
    throw StartupError(fmt::format(
        "io_uring is not available: {}; the kernel may have it disabled (see "
        "/proc/sys/kernel/io_uring_disabled), or a container's seccomp profile forbids it",
        errno_text(-error)));
  }
}

// Both save work for each write, but neither is needed: a limit on locked memory may forbid them.
void UringDisk::register_resources(ConstBytes image) {
  setup_.registered_file = ::io_uring_register_files(&ring_, &descriptor_, 1) == 0;
  if (image.empty()) return;
  const iovec buffer{const_cast<std::byte*>(image.data()), image.size()};
  setup_.registered_buffer = ::io_uring_register_buffers(&ring_, &buffer, 1) == 0;
  if (setup_.registered_buffer) registered_ = image;
}

void UringDisk::attach() {
  BL_ASSERT(!attached_);
  attached_ = true;
  if (!starts_disabled_) return;
  // io_uring_enable_rings() is declared, but liburing 2.3's shared library does not export it.
  const int error = ::io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                        IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (error != 0) {
    throw StartupError(fmt::format("io_uring cannot be enabled: {}", errno_text(-error)));
  }
}

void UringDisk::submit(const DiskWrite& write) noexcept {
  BL_ASSERT(attached_ && in_flight_ < kMaxWritesInFlight);
  // Kernels have been seen to accept misaligned buffers, so this class has to insist.
  BL_ASSERT(reinterpret_cast<std::uintptr_t>(write.data) % kSectorSize == 0 &&
            write.offset % kSectorSize == 0 && write.length % kSectorSize == 0);
  ::io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
  BL_ASSERT(entry != nullptr);
  const int file = setup_.registered_file ? 0 : descriptor_;
  if (setup_.registered_buffer) {
    BL_ASSERT(write.data >= registered_.data() &&
              write.data + write.length <= registered_.data() + registered_.size());
    ::io_uring_prep_write_fixed(entry, file, write.data, write.length, write.offset, 0);
  } else {
    ::io_uring_prep_write(entry, file, write.data, write.length, write.offset);
  }
  if (setup_.registered_file) ::io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
  entry->rw_flags = RWF_DSYNC;
  ::io_uring_sqe_set_data64(entry, write.id);
  queued_[queued_count_++] = write.id;
  ++in_flight_;
  ++counters_.writes;
  push_submissions();
}

void UringDisk::push_submissions() noexcept {
  if (submit_error_ != 0) return;
  const int taken = ::io_uring_submit(&ring_);
  if (taken >= 0) {
    const auto count = std::min(static_cast<std::size_t>(taken), queued_count_);
    std::move(queued_.begin() + static_cast<std::ptrdiff_t>(count), queued_.end(), queued_.begin());
    queued_count_ -= count;
    if (queued_count_ > 0) ++counters_.submit_again;
  } else if (taken == -EAGAIN || taken == -EBUSY || taken == -EINTR) {
    ++counters_.submit_again;  // reap() tries again
  } else {
    submit_error_ = -taken;
  }
}

std::size_t UringDisk::reap(std::span<DiskCompletion> completions) noexcept {
  if (in_flight_ == 0) return 0;
  if (queued_count_ > 0) push_submissions();
  // Without this no completion would ever arrive: deferred work runs only when we ask for it.
  const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
    ++counters_.entered;
    ::io_uring_get_events(&ring_);
  }
  std::size_t count = 0;
  unsigned head = 0;
  unsigned seen = 0;
  ::io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    if (count == completions.size()) break;
    completions[count++] = {static_cast<std::uint32_t>(entry->user_data), entry->res};
    ++seen;
  }
  ::io_uring_cq_advance(&ring_, seen);
  while (submit_error_ != 0 && queued_count_ > 0 && count < completions.size()) {
    completions[count++] = {queued_[--queued_count_], -submit_error_};
  }
  BL_ASSERT(count <= in_flight_);
  in_flight_ -= count;
  return count;
}

void UringDisk::wait(std::uint64_t timeout_ns) noexcept {
  BL_ASSERT(attached_);
  if (queued_count_ > 0) push_submissions();
  __kernel_timespec timeout{};
  timeout.tv_sec = static_cast<long long>(timeout_ns / kNanosPerSecond);
  timeout.tv_nsec = static_cast<long long>(timeout_ns % kNanosPerSecond);
  ::io_uring_cqe* entry = nullptr;
  // The completion remains in the queue for reap(). A time-out and a signal end the wait in the
  // same way.
  [[maybe_unused]] const int ignored = ::io_uring_wait_cqe_timeout(&ring_, &entry, &timeout);
}

}  // namespace binlane

#include "bare_ring.h"

#include <fmt/format.h>

#include "base/error.h"

namespace binlane::bench {
namespace {

constexpr unsigned kEntries = 8;
constexpr unsigned kFlags =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

void must(int code, const char* what) {
  if (code < 0) throw StartupError(fmt::format("bare ring: {}: {}", what, errno_text(-code)));
}

}  // namespace

BareRing::BareRing(int descriptor, MutableBytes memory) : memory_(memory) {
  must(::io_uring_queue_init(kEntries, &ring_, kFlags), "the ring");
  must(::io_uring_register_files(&ring_, &descriptor, 1), "the file");
  const iovec buffer{memory.data(), memory.size()};
  must(::io_uring_register_buffers(&ring_, &buffer, 1), "the buffer");
}

BareRing::~BareRing() {
  ::io_uring_queue_exit(&ring_);
}

void BareRing::submit(std::uint64_t offset, std::uint32_t length) {
  ::io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
  ::io_uring_prep_write_fixed(entry, 0, memory_.data() + offset, length, offset, 0);
  ::io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
  entry->rw_flags = RWF_DSYNC;
  must(::io_uring_submit(&ring_), "submit");
}

void BareRing::wait_one(std::uint32_t length, IdleStrategy& idle) {
  ::io_uring_cqe* done = nullptr;
  for (;;) {
    // As the lane does: the kernel is entered only when it says that there is work.
    if ((IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_TASKRUN) != 0)
      ::io_uring_get_events(&ring_);
    if (::io_uring_peek_cqe(&ring_, &done) == 0) break;
    idle.after_turn(0, 0);
  }
  const int result = done->res;
  ::io_uring_cqe_seen(&ring_, done);
  idle.after_turn(1, 1);
  must(result, "a write");
  if (static_cast<std::uint32_t>(result) != length) throw StartupError("bare ring: a short write");
}

}  // namespace binlane::bench

// UringDisk: the journal's disk in production, over io_uring.
//
// Each write is one O_DIRECT write with RWF_DSYNC: its completion says that the bytes are durable.
// The ring is created with SINGLE_ISSUER, DEFER_TASKRUN and TASKRUN_FLAG, as far as the kernel
// knows them. It is disabled until the lane's thread calls attach(); this thread then submits and
// reaps. File and image are registered if the limits allow it.
//
// With DEFER_TASKRUN completions arrive only when this thread enters the kernel. reap() does so
// when the ring's flag says that there is work, and otherwise costs one load.
//
// The lane owns the object from attach() on.
#pragma once

#include <liburing.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "storage/journal/disk.h"

namespace binlane {

// What the kernel granted, for `status`.
struct UringSetup {
  bool single_issuer = false;
  bool deferred_taskrun = false;
  bool taskrun_flag = false;
  bool registered_file = false;
  bool registered_buffer = false;
};
std::string to_string(const UringSetup& setup);

struct UringCounters {
  std::uint64_t writes = 0;
  std::uint64_t submit_again = 0;  // the kernel took a submission only later
  std::uint64_t entered = 0;       // calls that fetched completions
};

class UringDisk {
 public:
  // `descriptor`: the ring's file, opened O_DIRECT. `image`: the memory that writes point into; may
  // be empty. Throws StartupError when the kernel does not permit io_uring.
  UringDisk(int descriptor, ConstBytes image);
  ~UringDisk();
  UringDisk(const UringDisk&) = delete;
  UringDisk& operator=(const UringDisk&) = delete;

  // On the lane's thread, once, before anything else. Throws StartupError.
  void attach();

  void submit(const DiskWrite& write) noexcept;
  std::size_t reap(std::span<DiskCompletion> completions) noexcept;
  // Sleeps until a completion has arrived or the time is over. Returns at once if one has.
  void wait(std::uint64_t timeout_ns) noexcept;

  const UringSetup& setup() const noexcept { return setup_; }
  const UringCounters& counters() const noexcept { return counters_; }

 private:
  void make_ring();
  void register_resources(ConstBytes image);
  void push_submissions() noexcept;

  ::io_uring ring_{};
  int descriptor_;
  bool attached_ = false;
  bool starts_disabled_ = false;
  ConstBytes registered_;  // the memory that is a registered buffer
  // Writes that the kernel did not take yet, oldest first; empty but for rare moments.
  std::array<std::uint32_t, kMaxWritesInFlight> queued_{};
  std::size_t queued_count_ = 0;
  std::size_t in_flight_ = 0;  // queued ones included
  int submit_error_ = 0;       // final: the kernel will never take what is queued
  UringSetup setup_;
  UringCounters counters_;
};
static_assert(Disk<UringDisk>);

}  // namespace binlane

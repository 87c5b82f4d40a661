// BareRing: the shortest way to write durably through io_uring: no journal, no checksum, no
// bookkeeping. What the journal's own cost is measured against, and the sequential write rate of
// the device.
#pragma once

#include <liburing.h>

#include <cstdint>

#include "base/bytes.h"
#include "dataplane/lane/idle_strategy.h"

namespace binlane::bench {

class BareRing {
 public:
  // The flags are the best ones of UringDisk's ladder. Used by the thread that made it. Throws
  // StartupError.
  BareRing(int descriptor, MutableBytes memory);
  ~BareRing();
  BareRing(const BareRing&) = delete;
  BareRing& operator=(const BareRing&) = delete;

  // Begins a durable write of `length` bytes at `offset` of file and memory. Throws StartupError.
  void submit(std::uint64_t offset, std::uint32_t length);
  // Until one write is durable; writes that are in flight together have the same length, because
  // they may end in any order. Throws StartupError when it failed.
  void wait_one(std::uint32_t length, IdleStrategy& idle);

 private:
  ::io_uring ring_{};
  MutableBytes memory_;
};

}  // namespace binlane::bench

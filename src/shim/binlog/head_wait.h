// HeadWait: how long the server's next binlog has existed without its beginning (file_head.h).
//
// A server that goes on writes the beginning within milliseconds. Where it stays away, because the
// disk is full or a thread of the server hangs, nothing that is written later can be followed.
#pragma once

#include <atomic>
#include <cstdint>

#include "shim/binlog/file_head.h"

namespace binlane {

struct HeadWait {
  // As long as a head may be torn, too.
  static constexpr std::uint64_t kLong_ns = HeadWatch::kTorn_ns;

  std::uint32_t file = 0;  // its number; 0: no file is waited for
  std::uint64_t since_ns = 0;

  bool is_long(std::uint64_t now_ns) const noexcept {
    return file != 0 && now_ns > since_ns && now_ns - since_ns >= kLong_ns;
  }
};

// The same: the lane writes it, any thread reads it.
class SharedHeadWait {
 public:
  // The lane's thread. The file has no head at this look either.
  void wait(std::uint32_t file, std::uint64_t now_ns) noexcept {
    if (file_.load(std::memory_order_relaxed) == file) return;
    since_ns_.store(now_ns, std::memory_order_relaxed);
    file_.store(file, std::memory_order_release);
  }
  void end() noexcept { file_.store(0, std::memory_order_relaxed); }

  // Any thread. Right after one wait has ended and another one has begun, the older file may be
  // returned with the time of the newer one: a wait is then taken for shorter than it is.
  HeadWait get() const noexcept {
    const std::uint32_t file = file_.load(std::memory_order_acquire);
    return {file, since_ns_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<std::uint64_t> since_ns_{0};
  std::atomic<std::uint32_t> file_{0};
};

}  // namespace binlane

// MarkRemover: removes a durable mark that is not true any more, and tries again every second while
// the disk does not take that. Source's control thread.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "storage/durable_mark.h"

namespace binlane {

class MarkRemover {
 public:
  static constexpr std::uint64_t kAgainNs = 1 * kNanosPerSecond;

  // `mark` must outlive this object.
  explicit MarkRemover(DurableMark& mark) : mark_(mark) {}

  // True: this call has removed it. False: it was not set, or it remains for now.
  bool remove(std::uint64_t now_ns) {
    if (!mark_.is_set() || now_ns < next_try_ns_) return false;
    const int error = mark_.clear();
    next_try_ns_ = error == 0 ? 0 : now_ns + kAgainNs;
    if (error != 0 && error != logged_)
      log::error("degrade", "cannot remove {}: {}", mark_.path(), errno_text(error));
    logged_ = error;
    return error == 0;
  }

 private:
  DurableMark& mark_;
  std::uint64_t next_try_ns_ = 0;
  int logged_ = 0;  // the error that the log has already
};

}  // namespace binlane

// FeedLimit: how far the feed may serve the archive. The archive's publisher implements it; any
// thread may call it.
//
// The limit is always at the end of a whole event group that is released, and every byte before it
// is in the archive's files. [I7] It never goes back. If it is in file N, every archived file
// before N is complete.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/position.h"

namespace binlane {

// A crash may set the archive back by what it had not yet recorded, so a replica may be ahead of it
// for a moment: by this many files at most. A client that asks for a later file is told at once
// that there is none.
inline constexpr std::uint32_t kMaxFilesAhead = 1;
// How long one wait_beyond() waits at most: so often a waiting session looks at its client.
inline constexpr std::uint64_t kFeedWaitSliceNs = 100 * kNanosPerMilli;

class FeedLimit {
 public:
  FeedLimit() = default;
  FeedLimit(const FeedLimit&) = delete;
  FeedLimit& operator=(const FeedLimit&) = delete;
  virtual ~FeedLimit() = default;

  // The end of the last whole released event group; null while there is none.
  virtual Position whole_groups() const = 0;
  // Waits until whole_groups() > `position` or monotonic_ns() ≥ `deadline_ns`; returns whether it
  // is. The feed passes deadlines of a fraction of a second, so nothing needs to interrupt it.
  virtual bool wait_beyond(Position position, std::uint64_t deadline_ns) = 0;
};

}  // namespace binlane

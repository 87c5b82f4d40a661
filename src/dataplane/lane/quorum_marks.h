// QuorumMarks: how far a quorum has the stream, as the server and people are told.
//
// The server is told only of whole event groups: one that has torn its binlog believes that the
// binlog is shorter than it is, and would take a position within a group for what it has written
// since [S24]. Owned by the lane's thread. No I/O, no clock.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "base/mutant.h"
#include "base/position.h"
#include "dataplane/lane/source_parts.h"

namespace binlane {

class QuorumMarks {
 public:
  // A new incarnation: what the last one's quorums covered is proven anew. [S3]
  void reset() noexcept { *this = {}; }

  // A quorum has everything before `quorum`. True if that is news.
  template <BinlogStream Stream>
  bool advance(std::uint64_t quorum, const Stream& stream) noexcept {
    BL_ASSERT(quorum <= stream.written());
    BL_ASSERT(quorum >= quorum_);  // what a quorum had remains acknowledged [I1]
    if (quorum == quorum_) return false;
    quorum_ = quorum;
    const Position told_before = told_at_;
    const std::uint64_t whole =
        BL_MUTANT(acked_within_group, quorum_, std::min(quorum_, stream.group_end()));
    keep_or_move(told_at_, stream, whole);
    BL_ASSERT(told_at_ >= told_before);
    if (quorum_ >= watched_group_) {
      const std::uint64_t newest = stream.group_end();
      const std::uint64_t passed = quorum_ >= newest ? newest : watched_group_;
      if (passed > 0) keep_or_move(group_at_, stream, passed);
      watched_group_ = newest;
    }
    return true;
  }

  std::uint64_t quorum() const noexcept { return quorum_; }
  // What the server is told; null: nothing yet in this incarnation.
  const Position& told_at() const noexcept { return told_at_; }
  // The end of the last whole event group that the mark is known to have passed.
  const Position& group_at() const noexcept { return group_at_; }

 private:
  std::uint64_t quorum_ = 0;
  Position told_at_;
  // The end of a group that the mark is about to pass, and of the last one that it has passed.
  std::uint64_t watched_group_ = 0;
  Position group_at_;
};

}  // namespace binlane

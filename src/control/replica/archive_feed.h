// archive_feed: connects the archive, the feed and the tracking of event groups, none of which
// includes another.
//
// The archive (storage) gives its bytes to a GroupSink, and the feed (shim) asks a FeedLimit how
// far it may serve. Here are the adapters, over shim/binlog/group_tracker.h and
// storage/archive/archive_end.h.
#pragma once

#include "shim/binlog/group_tracker.h"
#include "shim/feed/feed_limit.h"
#include "storage/archive/archive.h"

namespace binlane {

// Archive thread.
class TrackedGroups final : public GroupSink {
 public:
  void start_file(std::uint32_t number) override {
    before_ = whole_groups();
    tracker_.start_file(number);
  }
  void on_bytes(Position at, ConstBytes bytes) override {
    // A broken tracker (at a torn tail) reads no more of this file; the last whole group counts.
    if (!tracker_.broken()) tracker_.on_bytes(at.offset, bytes);
  }
  // A new file counts only once its first whole group is archived, so that a reader which goes to
  // this position finds the file.
  Position whole_groups() const override {
    const Position end = tracker_.last_group_end();
    return end.offset > 0 ? end : before_;
  }

 private:
  GroupTracker tracker_;
  Position before_;  // the position when the current file began
};

// Any thread.
class ArchiveFeedLimit final : public FeedLimit {
 public:
  explicit ArchiveFeedLimit(ArchiveEndWatch& watch) : watch_(watch) {}
  Position whole_groups() const override { return watch_.whole_groups(); }
  bool wait_beyond(Position position, std::uint64_t deadline_ns) override {
    return watch_.wait_beyond(position, deadline_ns);
  }

 private:
  ArchiveEndWatch& watch_;
};

}  // namespace binlane

// FeedGlue: what lets archive and feed know event groups without knowing each other.
//
// The archive (storage) gives its bytes to a GroupSink; the feed (shim) asks a FeedLimit how far it
// may serve. Both are adapters here, over shim/group_tracker.h and storage/archive_end.h.
#pragma once

#include "shim/feed_limit.h"
#include "shim/group_tracker.h"
#include "storage/archive.h"

namespace binlane {

// Archive thread.
class TrackedGroups final : public GroupSink {
 public:
  void start_file(std::uint32_t number) override {
    before_ = whole_groups();
    tracker_.start_file(number);
  }
  void on_bytes(Position at, ConstBytes bytes) override {
    // A broken tracker (a torn tail) takes nothing more of this file; its last whole group stands.
    if (!tracker_.broken()) tracker_.on_bytes(at.offset, bytes);
  }
  // A file of which nothing whole is archived yet does not count, so whoever follows this finds the
  // file it names.
  Position whole_groups() const override {
    const Position end = tracker_.last_group_end();
    return end.offset > 0 ? end : before_;
  }

 private:
  GroupTracker tracker_;
  Position before_;  // what stood before the file being read
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

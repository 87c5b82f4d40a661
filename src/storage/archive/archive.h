// Archiver: the thread that moves released bytes from the journal to the archive's files, and then
// frees their blocks in the journal.
//
// It takes ReleaseMarks from the lane and appends what they cover to the files. It publishes how
// far the files reach (ArchiveEndWatch), so that the feed can serve them. From time to time it
// makes the files durable, and stores that in the journal's superblock. Only then it gives the
// sequence number back to the lane, which may reuse those blocks (the journal asserts this).
//
// The archiver waits while the disk is full: nothing is lost, the journal fills up and its window
// closes. It also waits while descriptors are short. Any other error of writing or syncing is
// final, because after it nobody knows what is on the medium: the archiver stops, says why, and
// needs an operator.
//
// Use either step() or the thread; tests call step(). [I7 (whole_groups), I8]
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/heartbeat.h"
#include "base/position.h"
#include "storage/archive/archive_end.h"
#include "storage/archive/archive_files.h"
#include "storage/archive/archive_io.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/journal_store.h"

namespace binlane {

// The longest time for which bytes remain un-synced.
inline constexpr std::uint64_t kArchiveSyncNs = kNanosPerSecond;
// A sync comes at the latest when this part of the ring waits for it.
inline constexpr std::uint32_t kArchiveSyncRingPart = 4;
inline constexpr std::uint64_t kArchiveRetryNs = kNanosPerSecond;  // on a full disk
// How often the thread checks for a mark: while marks come, and when none came for a while. The
// lane does not wake the thread, because that would be a system call in the lane.
inline constexpr std::uint64_t kArchiveBusyPollNs = 1 * kNanosPerMilli;
inline constexpr std::uint64_t kArchiveIdlePollNs = 10 * kNanosPerMilli;
inline constexpr std::uint64_t kArchiveBusyNs = 100 * kNanosPerMilli;
static_assert(kArchiveBusyPollNs < kArchiveIdlePollNs && kArchiveIdlePollNs < kArchiveSyncNs);
// Bytes gathered for one write.
inline constexpr std::size_t kArchiveBufferSize = std::size_t{256} << 10;

// Follows the archived bytes and knows where event groups end. Archive thread only; an adapter over
// shim/binlog/group_tracker.h, which storage does not include.
class GroupSink {
 public:
  GroupSink() = default;
  GroupSink(const GroupSink&) = delete;
  GroupSink& operator=(const GroupSink&) = delete;
  virtual ~GroupSink() = default;

  // The bytes that follow are of file `number`, from its first one on.
  virtual void start_file(std::uint32_t number) = 0;
  virtual void on_bytes(Position at, ConstBytes bytes) = 0;
  // The position after the last whole group of the given bytes.
  virtual Position whole_groups() const = 0;
};

// The two queues to the lane.
struct ArchiveChannel {
  std::function<bool(ReleaseMark&)> take_mark;
  std::function<bool(std::uint64_t)> give_sequence;
};
template <class MarkQueue, class SequenceQueue>
ArchiveChannel archive_channel(MarkQueue& marks, SequenceQueue& sequences) {
  return {[&marks](ReleaseMark& mark) { return marks.try_pop(mark); },
          [&sequences](std::uint64_t sequence) { return sequences.try_push(sequence); }};
}

struct ArchiverStatus {
  Position end;      // written up to here
  Position durable;  // on stable storage up to here, as the superblock says
  std::uint64_t archived_sequence = 0;
  std::uint64_t syncs = 0;
  std::uint64_t files_ended = 0;
  std::uint64_t disk_full_count = 0;  // times that a write found no room
  bool waits_for_room = false;
  std::string failure;  // why it stopped, or what it retries; empty while it works
};

class Archiver {
 public:
  // Everything given must outlive this object.
  Archiver(JournalStore& file, Journal& journal, std::string directory, GroupSink& groups,
           ArchiveChannel channel, ArchiveIo* io = nullptr);
  ~Archiver();  // stops
  Archiver(const Archiver&) = delete;
  Archiver& operator=(const Archiver&) = delete;

  // Creates the folder, and brings it into line with the journal. Call it before start(), and while
  // the lane is quiesced: it may raise the journal's released mark to what the archive holds
  // already (only released bytes are ever written there). Returns what is wrong, or nothing; it may
  // be called again then.
  std::string open(Journal& journal);
  // Returns why there is no thread, or nothing; it may be called again then.
  std::string start();
  // Archives what was released so far, syncs, and ends the thread. May be called again.
  void stop();

  ArchiveEndWatch& end_watch() noexcept { return end_watch_; }
  ArchiverStatus status() const;
  const Heartbeat& heartbeat() const noexcept { return heart_; }

  // One round of work; returns whether there was any. The thread calls it; tests may instead.
  bool step(std::uint64_t now_ns);
  // Makes everything written durable, whether or not a sync is due.
  void sync_now();

 private:
  std::string adopt(Journal& journal, Position base);
  int read_groups(Position to);
  void run();
  bool take_marks();
  bool copy();
  bool begin(Position at);
  bool carry_out();
  bool flush();
  bool end_file();
  bool check(int error, const char* doing);
  bool show_retried(const std::string& problem);
  void note_groups(Position at, ConstBytes bytes);
  void publish();
  bool sync_due() const;
  bool sync();
  bool free_blocks();
  void fail(std::string reason);

  JournalStore& journal_file_;
  GroupSink& groups_;
  ArchiveChannel channel_;
  ArchiveIo default_io_;
  ArchiveFiles files_;
  JournalCursor cursor_;
  std::uint32_t block_count_;
  ReleaseMark mark_;  // the newest that came
  bool open_ = false;
  ArchiveEndWatch end_watch_;
  Position groups_end_;  // what groups_ was given so far

  std::vector<std::byte> buffer_;        // gathered, to be written at files_.end()
  std::optional<FileEnd> file_end_;      // to be carried out after the buffer is written
  std::uint64_t stored_sequence_ = 0;    // in the superblock
  Position stored_released_;             // in the superblock
  std::uint64_t given_sequence_ = 0;     // last sequence number given to the lane
  std::uint64_t first_unsynced_ns_ = 0;  // 0: nothing to sync
  std::uint64_t last_mark_ns_ = 0;
  std::uint64_t retry_ns_ = 0;  // the disk is full: no attempt before this time
  std::uint64_t now_ns_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  ArchiverStatus status_;  // guarded by mutex_
  std::atomic<bool> failed_ = false;
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane

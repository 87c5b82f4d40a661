#include "storage/archive/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/start_thread.h"

namespace binlane {

Archiver::Archiver(JournalStore& file, Journal& journal, std::string directory, GroupSink& groups,
                   ArchiveChannel channel, ArchiveIo* io)
    : journal_file_(file),
      groups_(groups),
      channel_(std::move(channel)),
      files_(std::move(directory), io != nullptr ? *io : default_io_),
      cursor_(journal, file.meta().archived),
      block_count_(journal.block_count()) {
  buffer_.reserve(kArchiveBufferSize + kBlockPayloadSize);
  const JournalMeta meta = file.meta();
  stored_sequence_ = given_sequence_ = meta.archived.sequence;
  stored_released_ = meta.released;
  mark_ = {meta.archived.sequence + 1, 0, meta.released, meta.durable_sequence, meta.durable};
  status_.archived_sequence = stored_sequence_;
  status_.durable = meta.archived.position;
  files_.set_basename(meta.stream.basename);
}

Archiver::~Archiver() {
  stop();
}

std::string Archiver::open(Journal& journal) {
  BL_ASSERT(!open_);
  std::string problem = files_.make_directory();
  const Position base = journal_file_.start().archived;
  if (problem.empty() && !base.is_null() && !files_.basename().empty())
    problem = adopt(journal, base);
  open_ = problem.empty();
  show_retried(problem);
  return problem;
}

// Finds how far the files agree with the journal beyond what the superblock knows. Only released
// bytes are ever written to the files, so everything up to there was released. The feed may have
// served it already, and must not go back to before it. The bytes from `base` on are written once
// more, because nothing proves that they are durable. Returns what is wrong, or nothing; may be
// called again then.
std::string Archiver::adopt(Journal& journal, Position base) {
  const std::optional<std::uint64_t> size = files_.size(base.file);
  if (base.offset > 0 && size.value_or(0) < base.offset) {
    return fmt::format(
        "{}: the archived file {}, but the journal has archived {} bytes of it; the archive was "
        "changed or lost: restore it, or re-create the replica",
        files_.path(base.file), size ? fmt::format("has {} bytes", *size) : "is missing",
        base.offset);
  }
  ReleaseMark everything;
  everything.sequence = journal.last_sequence() + 1;
  JournalCursor cursor = cursor_;
  Position adopted = base;
  while (const auto slice = cursor.next(everything)) {
    if (slice->file_end) {
      if (!files_.size(slice->at.file + 1)) break;
      adopted = {slice->at.file + 1, 0};
      continue;
    }
    std::size_t same = 0;
    if (const int error = files_.matching(slice->at.file, slice->at.offset, slice->bytes, same);
        error != 0)
      return fmt::format("{}: {}", files_.path(slice->at.file), errno_text(error));
    adopted = {slice->at.file, slice->at.offset + same};
    if (same < slice->bytes.size()) break;
  }
  const std::optional<std::uint64_t> adopted_log = journal.log_of(adopted);
  BL_ASSERT(adopted_log.has_value());
  journal.release(*adopted_log);
  files_.set_end(base, adopted);
  int error = files_.truncate(adopted.file, adopted.offset);
  if (error == 0) error = read_groups(adopted);
  if (error != 0) return fmt::format("{}: {}", files_.path(adopted.file), errno_text(error));
  end_watch_.publish({adopted, {}});
  publish();
  return {};
}

// Gives groups_ the file that contains `to`, up to `to`. Returns 0 or an errno; ENODATA if the file
// is shorter than it was.
int Archiver::read_groups(Position to) {
  groups_end_ = {to.file, 0};
  std::vector<std::byte> bytes(kArchiveBufferSize);
  while (groups_end_ < to) {
    const auto length = std::min<std::uint64_t>(bytes.size(), to.offset - groups_end_.offset);
    const auto part = MutableBytes(bytes).first(static_cast<std::size_t>(length));
    const std::int64_t count = files_.read(to.file, groups_end_.offset, part);
    if (count < 0) return static_cast<int>(-count);
    if (count != static_cast<std::int64_t>(length)) return ENODATA;
    note_groups(groups_end_, part);
  }
  return 0;
}

std::string Archiver::start() {
  BL_ASSERT(open_ && !thread_.joinable());
  std::string problem = start_thread(thread_, [this] { run(); });
  if (!problem.empty()) problem = "the archive: " + problem;
  show_retried(problem);
  return problem;
}

void Archiver::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Archiver::run() {
  const HeartbeatScope alive(heart_);
  for (;;) {
    still_alive();
    const std::uint64_t now_ns = monotonic_ns();
    const bool worked = step(now_ns);
    std::unique_lock lock(mutex_);
    if (stopping_) break;
    if (worked) continue;
    const bool busy = now_ns - last_mark_ns_ < kArchiveBusyNs;
    wake_.wait_for(lock, std::chrono::nanoseconds(busy ? kArchiveBusyPollNs : kArchiveIdlePollNs),
                   [this] { return stopping_; });
  }
  sync_now();
}

bool Archiver::step(std::uint64_t now_ns) {
  BL_ASSERT(open_);
  now_ns_ = now_ns;
  const bool took_marks = take_marks();
  if (failed_) return false;
  bool worked = took_marks;
  if (now_ns >= retry_ns_) worked |= copy();
  if (!failed_ && sync_due()) sync();
  worked |= free_blocks();
  return worked;
}

void Archiver::sync_now() {
  retry_ns_ = 0;
  step(monotonic_ns());
  if (!failed_ && buffer_.empty() && !file_end_) sync();
  free_blocks();
}

// Marks are cumulative: only the newest matters.
bool Archiver::take_marks() {
  bool took = false;
  while (channel_.take_mark(mark_)) took = true;
  if (took) last_mark_ns_ = now_ns_;
  return took;
}

// Copies what the mark covers, as far as there is room.
bool Archiver::copy() {
  bool worked = false;
  bool has_room = true;
  while ((has_room = carry_out())) {
    const std::optional<JournalSlice> slice = cursor_.next(mark_);
    if (!slice) break;
    if (files_.end().is_null() && !begin(slice->at)) return true;
    worked = true;
    if (first_unsynced_ns_ == 0) first_unsynced_ns_ = now_ns_;
    const Position at{files_.end().file, files_.end().offset + buffer_.size()};
    BL_ASSERT(slice->at == at);
    buffer_.insert(buffer_.end(), slice->bytes.begin(), slice->bytes.end());
    if (slice->file_end) file_end_ = slice->end;
  }
  if (has_room && flush()) publish();
  // Blocks without units give no slice, but have to be freed.
  if (first_unsynced_ns_ == 0 && cursor_.consumed().sequence > stored_sequence_) {
    first_unsynced_ns_ = now_ns_;
  }
  return worked;
}

// A new journal's first bytes.
bool Archiver::begin(Position at) {
  const std::string basename = journal_file_.stream().basename;
  if (basename.empty()) {
    fail("bytes were released before the journal was given its stream");
    return false;
  }
  files_.set_basename(basename);
  if (at.offset > 0 && files_.size(at.file).value_or(0) < at.offset) {
    fail(fmt::format(
        "{}: the stream begins at {}, but the archive does not hold the file up to that position",
        files_.path(at.file), at.offset));
    return false;
  }
  files_.set_end(at, at);
  if (check(read_groups(at), "reading")) return true;
  // So that another attempt begins from the beginning.
  files_.set_end({}, {});
  return false;
}

// Writes the buffer when it is full or its file ends. Returns false when no more can be taken now.
bool Archiver::carry_out() {
  if (failed_) return false;
  if (buffer_.size() < kArchiveBufferSize && !file_end_) return true;
  if (!flush()) return false;
  if (file_end_ && !end_file()) return false;
  publish();
  return !sync_due() || sync();
}

bool Archiver::flush() {
  if (buffer_.empty()) return true;
  const Position from = files_.end();
  const int error = files_.write(buffer_);
  const std::size_t written = files_.end().offset - from.offset;
  note_groups(from, ConstBytes(buffer_).first(written));
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(written));
  return check(error, "writing");
}

bool Archiver::end_file() {
  if (!check(files_.end_file(*file_end_), "ending")) return false;
  file_end_.reset();
  groups_end_ = std::max(groups_end_, files_.end());
  {
    const std::lock_guard lock(mutex_);
    ++status_.files_ended;
  }
  return sync();
}

// Returns whether to go on. A full disk is retried, and so is a lack of descriptors or memory.
// Every other error is final.
bool Archiver::check(int error, const char* doing) {
  const bool full = (error == ENOSPC || error == EDQUOT) && !files_.sync_failed();
  const bool scarce = is_scarcity(error) && !files_.sync_failed();
  const std::string path = error != 0 ? files_.path(files_.end().file) : std::string();
  const std::string problem =
      error != 0 ? fmt::format("{}: {} failed: {}", path, doing, errno_text(error)) : std::string();
  bool turned = false;
  {
    const std::lock_guard lock(mutex_);
    turned = status_.waits_for_room != full;
    status_.waits_for_room = full;
    if (full) ++status_.disk_full_count;
  }
  if (full || scarce) retry_ns_ = now_ns_ + kArchiveRetryNs;
  if (full) {
    if (turned) {
      log::warning("archive_disk_full",
                   "{}: {}; the journal keeps what is not archived, and the archive tries again",
                   path, errno_text(error));
    }
    return false;
  }
  if (error != 0 && !scarce) {
    fail(problem);
    return false;
  }
  const bool waited = show_retried(problem);
  if (scarce) {
    if (!waited) log::error("archive_waits", "{}; it is tried again every second", problem);
    return false;
  }
  if (turned || waited) log::info("archive_goes_on", "the archive continues");
  return true;
}

// Sets what is being retried; empty when it works. Returns whether something was set before.
bool Archiver::show_retried(const std::string& problem) {
  const std::lock_guard lock(mutex_);
  const bool waited = !status_.failure.empty();
  status_.failure = problem.empty() ? problem : problem + "; it is tried again every second";
  return waited;
}

void Archiver::note_groups(Position at, ConstBytes bytes) {
  if (bytes.empty()) return;
  const Position end{at.file, at.offset + bytes.size()};
  if (end <= groups_end_) return;  // it is written once more after a restart
  if (at < groups_end_) {
    bytes = bytes.subspan(static_cast<std::size_t>(groups_end_.offset - at.offset));
    at = groups_end_;
  }
  BL_ASSERT(at == groups_end_);
  if (at.offset == 0) groups_.start_file(at.file);
  groups_.on_bytes(at, bytes);
  groups_end_ = end;
}

void Archiver::publish() {
  // At the very beginning of a file no group is open: all groups before it are whole, or torn for
  // good.
  const bool all = BL_MUTANT(half_group_fed, true, groups_end_.offset == 0);
  const Position whole = all ? groups_end_ : groups_.whole_groups();
  end_watch_.publish({files_.end(), whole});
  const std::lock_guard lock(mutex_);
  status_.end = files_.end();
}

bool Archiver::sync_due() const {
  // Bytes that were taken from the journal but are not in the files do not count as archived.
  if (first_unsynced_ns_ == 0 || !buffer_.empty() || file_end_) return false;
  const std::uint64_t waiting = cursor_.consumed().sequence - stored_sequence_;
  return now_ns_ - first_unsynced_ns_ >= kArchiveSyncNs ||
         waiting >= block_count_ / kArchiveSyncRingPart;
}

bool Archiver::sync() {
  BL_ASSERT(buffer_.empty() && !file_end_);
  if (const int error = files_.sync(); error != 0) {
    fail(fmt::format("{}: syncing failed: {}", files_.path(files_.end().file), errno_text(error)));
    return false;
  }
  first_unsynced_ns_ = 0;
  const JournalConsumed consumed = cursor_.consumed();
  if (consumed.sequence == stored_sequence_ && mark_.position == stored_released_) return true;
  const int error = journal_file_.update([&](JournalMeta& meta) {
    meta.archived = consumed;
    // A mark from before the opening's first write contains less than recovery found.
    if (mark_.durable_sequence < meta.durable_sequence) return;
    meta.durable_sequence = mark_.durable_sequence;
    meta.durable = mark_.durable;
    meta.released = mark_.position;
  });
  if (error != 0) {
    fail(fmt::format("{}: the superblock cannot be stored: {}", journal_file_.path(),
                     errno_text(error)));
    return false;
  }
  stored_sequence_ = consumed.sequence;
  stored_released_ = mark_.position;
  const std::lock_guard lock(mutex_);
  ++status_.syncs;
  status_.archived_sequence = stored_sequence_;
  status_.durable = consumed.position;
  return true;
}

bool Archiver::free_blocks() {
  if (given_sequence_ == stored_sequence_ || !channel_.give_sequence(stored_sequence_)) {
    return false;
  }
  given_sequence_ = stored_sequence_;
  return true;
}

void Archiver::fail(std::string reason) {
  log::error("archive_failed", "{}; nothing more is archived until the daemon is restarted",
             reason);
  failed_ = true;
  const std::lock_guard lock(mutex_);
  status_.failure = std::move(reason);
}

ArchiverStatus Archiver::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace binlane

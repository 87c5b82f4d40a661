#include "control/own_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/assert.h"
#include "base/error.h"
#include "base/heartbeat.h"
#include "control/promotion_rule.h"
#include "shim/stream_scan.h"
#include "storage/archive_files.h"
#include "storage/file_util.h"
#include "storage/journal_cursor.h"

namespace binlane {
namespace {

constexpr std::size_t kCopySize = std::size_t{1} << 20;

// Copies the first `size` bytes of a file behind what `out` has of the same file.
std::string copy_file(const std::string& from, std::uint64_t size, ArchiveFiles& out) {
  const FileDescriptor file(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return fmt::format("{}: {}", from, errno_text(errno));
  std::vector<std::byte> buffer(kCopySize);
  for (std::uint64_t at = 0; at < size;) {
    still_alive();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - at));
    const auto part = MutableBytes(buffer).first(wanted);
    const std::int64_t count = read_all(file.get(), part, at);
    if (count != static_cast<std::int64_t>(wanted))
      return fmt::format("{}: cannot be read up to {}", from, size);
    if (const int error = out.write(part); error != 0)
      return fmt::format("{}: {}", out.path(out.end().file), errno_text(error));
    at += wanted;
  }
  return {};
}

}  // namespace

std::string OwnLog::with_log(const std::function<std::string()>& work) {
  std::string problem;
  const bool done = side_.control().call([&] {
    const Promise promise = side_.file().promise();
    problem = promise == promise_
                  ? work()
                  : fmt::format("this host has promised itself to {} for term {} meanwhile",
                                to_string(promise.candidate), promise.term);
  });
  return done ? problem : "the replica's side of this host has ended";
}

std::string OwnLog::standing(const std::function<std::string(Journal&)>& work) {
  return with_log([&] {
    ReplicaLane& lane = side_.lane();
    if (!lane.stand_still()) return std::string("the replica's lane does not stand still");
    std::string problem =
        lane.journal().failed() ? "the journal's device has failed" : work(lane.journal());
    lane.go_on();
    return problem;
  });
}

std::string OwnLog::fence() {
  std::string problem;
  const bool done = side_.control().call([&] {
    if (const auto refused = side_.file().store_promise(promise_)) {
      problem = *refused;
      return;
    }
    ReplicaLane& lane = side_.lane();
    if (!lane.stand_still()) {
      problem = "the replica's lane does not stand still";
      return;
    }
    lane.end_session();
    lane.go_on();
  });
  return done ? problem : "the replica's side of this host has ended";
}

std::string OwnLog::settled(bool& done) {
  return standing([&](Journal& journal) {
    done = journal.idle();
    return std::string();
  });
}

std::string OwnLog::describe(PromotionLog& log) {
  return standing([&](Journal& journal) {
    const JournalMeta meta = side_.file().meta();
    log.journal_id = meta.journal;
    log.stream = {meta.stream.origin, meta.stream.term};
    log.epoch = journal.epoch();
    log.end = journal.durable();
    log.released = journal.released();
    log.damaged = !meta.damaged_until.is_null();
    log.learner = !meta.learner_until.is_null();
    log.rules = promotion_rules(meta.rules);
    return log.end == journal.end() ? std::string() : "the journal's writes have not ended";
  });
}

std::string OwnLog::export_to(const std::string& directory, SealedFiles& files) {
  return standing([&](Journal& journal) {
    return write_files(journal, side_.file().meta(), directory, files);
  });
}

std::string OwnLog::write_files(Journal& journal, const JournalMeta& meta,
                                const std::string& directory, SealedFiles& files) {
  const std::string archive = side_.parts()->folder;
  files = {directory, meta.stream.basename, 0, journal.durable(), {}};
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  std::filesystem::create_directories(directory, error);
  if (error) return fmt::format("{}: {}", directory, error.message());
  const auto archived_path = [&](std::uint32_t number) {
    return archive + "/" + binlog_file_name(files.basename, number);
  };
  ArchiveIo io;
  ArchiveFiles out(directory, io);
  if (std::string problem = out.make_directory(); !problem.empty()) return problem;
  out.set_basename(files.basename);
  // What the superblock calls archived is in the files, durably; the rest is in the journal.
  JournalCursor cursor(journal, meta.archived);
  ReleaseMark everything;
  everything.sequence = journal.last_sequence() + 1;
  std::optional<JournalChunk> chunk = cursor.next(everything);
  const Position from = chunk ? chunk->at : files.end;
  // Complete files of the archive are never written again: a second name is as good as a copy.
  files.first = from.file;
  while (files.first > 1 && std::filesystem::exists(archived_path(files.first - 1), error))
    --files.first;
  for (std::uint32_t number = files.first; number < from.file; ++number) {
    std::filesystem::create_hard_link(archived_path(number), out.path(number), error);
    if (error) return fmt::format("{}: {}", out.path(number), error.message());
  }
  out.set_end({from.file, 0}, {from.file, 0});
  if (from.offset > 0) {
    const std::string problem = copy_file(archived_path(from.file), from.offset, out);
    if (!problem.empty()) return problem;
  }
  for (; chunk; chunk = cursor.next(everything)) {
    still_alive();
    BL_ASSERT(chunk->at == out.end());
    const int failed = chunk->file_end ? out.end_file(*chunk->file_end) : out.write(chunk->bytes);
    if (failed != 0) return fmt::format("{}: {}", out.path(out.end().file), errno_text(failed));
  }
  BL_ASSERT(out.end() == files.end);
  // The newest file has to be there, even when nothing of it is.
  if (const int failed = out.write({}); failed != 0)
    return fmt::format("{}: {}", out.path(files.end.file), errno_text(failed));
  if (const int failed = out.sync(); failed != 0)
    return fmt::format("{}: {}", out.path(files.end.file), errno_text(failed));
  if (const int failed = sync_directory(directory); failed != 0)
    return fmt::format("{}: {}", directory, errno_text(failed));
  const PosixBinlogFiles binlogs(directory, files.basename);
  StreamStart start;
  const ScanResult scan = scan_stream(binlogs, files.end.file, files.end.file, start);
  if (!scan.ok()) return fmt::format("{}: {}", out.path(scan.file), scan_text(scan));
  files.whole_groups = start.tracker.last_group_end();
  return {};
}

std::string OwnLog::cut(Position to, Epoch epoch, bool& done) {
  done = false;
  return standing([&](Journal& journal) {
    if (journal.epoch() < epoch) {
      if (!journal.idle()) return std::string();
      const auto at = journal.log_of(to);
      if (!at || *at < journal.released_log())
        return fmt::format("the journal cannot be cut back to {}", to_string(to));
      const bool recorded =
          *at < journal.end_log() ? journal.cut(*at, epoch) : journal.start_epoch(epoch);
      if (!recorded) return std::string();  // the ring is full; the archive will free it
    }
    if (journal.epoch() > epoch) return std::string("the journal is in a later epoch already");
    done = journal.records_durable() && journal.idle();
    return std::string();
  });
}

std::string OwnLog::release(Position to) {
  return standing([&](Journal& journal) {
    const auto at = journal.log_of(to);
    // Archived and freed already: it was released before.
    if (!at) return journal.released() >= to ? std::string() : "the journal does not hold the seal";
    journal.release(*at);
    return std::string();
  });
}

PromotionLog log_at_a_glance(const std::string& name, ReplicaSide& side) {
  const JournalMeta meta = side.file().meta();
  const ReplicaLaneMarks marks = side.lane().queues().marks.load();
  PromotionLog log;
  log.name = name;
  log.journal_id = meta.journal;
  log.stream = {meta.stream.origin, meta.stream.term};
  log.epoch = marks.epoch;
  log.end = marks.durable;
  log.rules = promotion_rules(meta.rules);
  return log;
}

std::string fence_for_nobody(ReplicaSide& side, std::uint32_t& term) {
  const JournalMeta meta = side.file().meta();
  const auto next = Promotion::next_term(meta.promise.term, 0);
  if (!next) return "there is no term left";
  term = *next;
  return OwnLog(side, Promise{term, meta.journal}).fence();
}

std::string cut_files(SealedFiles& files, Position end) {
  BL_ASSERT(end <= files.end);
  const auto path = [&](std::uint32_t number) {
    return files.directory + "/" + binlog_file_name(files.basename, number);
  };
  for (std::uint32_t number = files.end.file; number > end.file; --number) {
    if (::unlink(path(number).c_str()) != 0 && errno != ENOENT)
      return fmt::format("{}: {}", path(number), errno_text(errno));
  }
  const FileDescriptor file(::open(path(end.file).c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open()) return fmt::format("{}: {}", path(end.file), errno_text(errno));
  if (::ftruncate(file.get(), static_cast<off_t>(end.offset)) != 0 || ::fsync(file.get()) != 0)
    return fmt::format("{}: {}", path(end.file), errno_text(errno));
  if (const int error = sync_directory(files.directory); error != 0)
    return fmt::format("{}: {}", files.directory, errno_text(error));
  files.end = end;
  return {};
}

}  // namespace binlane

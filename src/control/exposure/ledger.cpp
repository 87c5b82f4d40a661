#include "control/exposure/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/wall_clock.h"
#include "control/exposure/ledger_line.h"
#include "storage/file_mode.h"

namespace binlane {
namespace {

constexpr mode_t kFileMode = kPrivateFileMode;
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

}  // namespace

LedgerIo LedgerIo::system() noexcept {
  return {[](int descriptor, const void* data, std::size_t length) {
            return ::write(descriptor, data, length);
          },
          [](int descriptor) { return ::fdatasync(descriptor); },
          [](int descriptor, std::uint64_t offset, std::uint64_t length) {
            return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                               static_cast<off_t>(length));
          }};
}

Ledger::Ledger(std::string path, LedgerIo io) : path_(std::move(path)), io_(io) {
  file_.reset(
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!file_.is_open())
    throw StartupError(fmt::format("ledger {}: cannot open: {}", path_, errno_text(errno)));
  if (const int error = lock_exclusively(file_.get()); error != 0)
    throw StartupError(
        fmt::format("ledger {}: another process has the file open ({})", path_, errno_text(error)));
  load();
  if (lines_ == 0 && !append(LedgerHeader{kLedgerVersion}))
    throw StartupError(fmt::format("ledger {}: {}", path_, failure_));
  if (const int error = sync_directory(parent_directory(path_)); error != 0)
    throw StartupError(
        fmt::format("ledger {}: cannot sync its folder: {}", path_, errno_text(error)));
  keep_reserve();
}

void Ledger::load() {
  const auto damage = [this](std::uint64_t line, std::string_view what) {
    throw StartupError(
        fmt::format("ledger {}: line {} {}; the list of commits released without a quorum is "
                    "damaged. Keep a copy of the file, and restore it, or move it away to begin a "
                    "new one (its content is then no longer known)",
                    path_, line, what));
  };
  std::string pending;
  std::uint64_t offset = 0;
  std::uint64_t good_end = 0;
  std::string buffer(kReadBytes, '\0');
  // A complete line that is bad: damage, unless it is the last one and has holes.
  std::string bad_line, bad_why;
  while (true) {
    const auto length = read_all(file_.get(), std::as_writable_bytes(std::span(buffer)), offset);
    if (length < 0)
      throw StartupError(
          fmt::format("ledger {}: cannot read: {}", path_, errno_text(static_cast<int>(-length))));
    if (length == 0) break;
    offset += static_cast<std::uint64_t>(length);
    pending.append(buffer, 0, static_cast<std::size_t>(length));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (!bad_why.empty()) damage(lines_ + 1, bad_why);
      const std::string_view line(pending.data() + begin, end - begin);
      bad_why = replay(line);
      if (bad_why.empty()) {
        ++lines_;
        good_end += line.size() + 1;
      } else {
        bad_line = line;
      }
    }
    pending.erase(0, begin);
    if (pending.size() > kMaxLineBytes) damage(lines_ + 1, "is too long");
  }
  if (!bad_why.empty()) {
    const bool last = pending.empty() && bad_line.find('\0') != std::string::npos &&
                      bad_line.size() < kMaxLineBytes;
    if (!last) damage(lines_ + 1, bad_why);
  }
  totals_.bytes = good_end;
  torn_bytes_ = offset - good_end;
  if (torn_bytes_ == 0) return;
  if (::ftruncate(file_.get(), static_cast<off_t>(good_end)) != 0 || io_.sync(file_.get()) != 0)
    throw StartupError(fmt::format("ledger {}: cannot cut off its unfinished last line: {}", path_,
                                   errno_text(errno)));
}

std::string Ledger::replay(std::string_view line) {
  if (line.size() >= kMaxLineBytes) return "is too long";
  const auto decoded = decode_ledger_line(lines_ + 1, line);
  if (const auto* problem = std::get_if<std::string>(&decoded)) return *problem;
  const auto& record = std::get<LedgerRecord>(decoded);
  const auto* const header = std::get_if<LedgerHeader>(&record);
  if ((header != nullptr) != (lines_ == 0)) return "is out of place";
  if (header != nullptr)
    return header->version == kLedgerVersion
               ? std::string()
               : fmt::format("names format version {}, but this binlaned knows {}", header->version,
                             kLedgerVersion);
  if (const auto* open = std::get_if<LedgerOpen>(&record); open != nullptr) {
    if (open->id != next_id_) return "opens an interval out of order";
    if (open_.size() == kMaxOpen) return "opens one interval too many";
  } else if (const auto* ack = std::get_if<LedgerAck>(&record); ack != nullptr) {
    if (ack->id <= acknowledged_ || ack->id >= next_id_)
      return "acknowledges an interval that does not exist";
  } else {
    const auto* cause = std::get_if<LedgerCause>(&record);
    const auto* close = std::get_if<LedgerClose>(&record);
    const LedgerInterval* const interval = find_open(cause != nullptr ? cause->id : close->id);
    if (interval == nullptr) return "names an interval that is not open";
    if (close != nullptr && close->to < interval->from) return "closes an interval before it began";
  }
  apply(record);
  return {};
}

void Ledger::apply(const LedgerRecord& record) {
  if (const auto* open = std::get_if<LedgerOpen>(&record)) {
    BL_ASSERT(open->id == next_id_);
    ++next_id_;
    ++totals_.entries;
    ++totals_.unacknowledged;
    ++totals_.open;
    LedgerInterval interval;
    interval.id = open->id;
    interval.epoch = open->epoch;
    interval.from = open->from;
    interval.stream = open->stream;
    interval.causes.push_back(open->cause);
    open_.push_back(std::move(interval));
  } else if (const auto* cause = std::get_if<LedgerCause>(&record)) {
    LedgerInterval* const interval = find_open(cause->id);
    BL_ASSERT(interval != nullptr);
    if (interval->causes.size() < kMaxCauses) interval->causes.push_back(cause->cause);
  } else if (const auto* close = std::get_if<LedgerClose>(&record)) {
    LedgerInterval* const interval = find_open(close->id);
    BL_ASSERT(interval != nullptr && interval->from <= close->to);
    interval->to = close->to;
    interval->groups = close->groups;
    interval->counted = close->counted;
    interval->uncountable = close->uncountable;
    interval->closed_at = close->at;
    totals_.exposed_groups += close->groups;
    totals_.uncountable += close->uncountable ? 1U : 0U;
    --totals_.open;
    if (interval->empty() && interval->id > acknowledged_ && empty_.size() < kMaxEmpty) {
      empty_.insert(interval->id);
      --totals_.unacknowledged;
    }
    closed_.push_back(std::move(*interval));
    open_.erase(open_.begin() + (interval - open_.data()));
    if (closed_.size() > kMaxListed) closed_.pop_front();
  } else if (const auto* ack = std::get_if<LedgerAck>(&record)) {
    BL_ASSERT(ack->id > acknowledged_ && ack->id < next_id_);
    const auto end = empty_.upper_bound(ack->id);
    const auto empty = static_cast<std::uint64_t>(std::distance(empty_.begin(), end));
    totals_.unacknowledged -= ack->id - acknowledged_ - empty;
    empty_.erase(empty_.begin(), end);
    acknowledged_ = ack->id;
  }
  BL_ASSERT(totals_.open == open_.size() && open_.size() <= kMaxOpen);
  BL_ASSERT(acknowledged_ < next_id_ && totals_.unacknowledged <= totals_.entries);
}

bool Ledger::append(const LedgerRecord& record) {
  if (failed()) return false;
  const std::string line = encode_ledger_line(lines_ + 1, record);
  BL_ASSERT(line.size() < kMaxLineBytes);
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t taken = io_.write(file_.get(), line.data() + written, line.size() - written);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) {
      const int error = taken == 0 ? EIO : errno;
      if (error == ENOSPC || error == EDQUOT)
        find_no_room(error);
      else
        fail("writing", error);
      return false;
    }
    written += static_cast<std::size_t>(taken);
  }
  if (BL_MUTANT(ledger_not_synced, 0, io_.sync(file_.get())) != 0) {
    fail("syncing", errno);
    return false;
  }
  ++lines_;
  totals_.bytes += line.size();
  apply(record);
  if (reserve_bytes() < kReserveBytes / 2) keep_reserve();
  return true;
}

// Nothing of the line was confirmed. What it left in the file would join the next one.
void Ledger::find_no_room(int error) {
  fail("writing", error);
  if (::ftruncate(file_.get(), static_cast<off_t>(totals_.bytes)) != 0) return;
  reserved_until_ = 0;  // the reserved room after the end was removed with it
  full_ = true;
  failure_ += "; it will be tried again when there is room";
}

bool Ledger::try_again() {
  if (BL_MUTANT(full_ledger_final, true, !full_)) return false;
  // Room for at least one line; the file system may be unable to promise any, and then the next
  // line shows whether there is room.
  if (io_.reserve != nullptr && io_.reserve(file_.get(), totals_.bytes, kMaxLineBytes) != 0 &&
      errno != EOPNOTSUPP)
    return false;
  full_ = false;
  failure_.clear();
  keep_reserve();
  // A stream that began while there was no room has not closed the previous stream's intervals.
  return stream_.is_null() || begin_stream(stream_);
}

void Ledger::keep_reserve() {
  if (io_.reserve != nullptr && io_.reserve(file_.get(), totals_.bytes, kReserveBytes) == 0)
    reserved_until_ = totals_.bytes + kReserveBytes;
}

std::optional<std::uint64_t> Ledger::open_interval(Position from, Epoch epoch, ExposureKind kind,
                                                   std::string_view reason) {
  if (!failed() && open_.size() == kMaxOpen) fail("opening one interval too many", EOVERFLOW);
  const std::uint64_t id = next_id_;
  if (!append(LedgerOpen{id, epoch, from, make_cause(kind, reason), stream_})) return std::nullopt;
  return id;
}

bool Ledger::add_cause(std::uint64_t id, ExposureKind kind, std::string_view reason) {
  BL_ASSERT(find_open(id) != nullptr);
  return append(LedgerCause{id, make_cause(kind, reason)});
}

bool Ledger::close_interval(std::uint64_t id, Position to, std::uint64_t groups, bool counted,
                            bool uncountable) {
  const LedgerInterval* const interval = find_open(id);
  BL_ASSERT(interval != nullptr && interval->from <= to);
  return append(LedgerClose{id, to, groups, wall_clock_text(), counted, uncountable});
}

std::optional<std::uint64_t> Ledger::expose(Position from, Epoch epoch, ExposureKind kind,
                                            std::string_view reason) {
  for (const LedgerInterval& interval : open_) {
    if (interval.from > from || interval.epoch.term != epoch.term || !is_of_this_stream(interval))
      continue;
    const std::uint64_t id = interval.id;
    if (!add_cause(id, kind, reason)) return std::nullopt;
    return id;
  }
  return open_interval(from, epoch, kind, reason);
}

bool Ledger::expose_fencing(Position from, Epoch epoch, std::string_view reason) {
  const auto by_fencing = [](const ExposureCause& cause) {
    return cause.reason.starts_with(kFencedCause);
  };
  for (const LedgerInterval& interval : open_) {
    if (is_of_this_stream(interval) &&
        std::any_of(interval.causes.begin(), interval.causes.end(), by_fencing))
      return true;
  }
  return expose(from, epoch, ExposureKind::server_side, fmt::format("{}{}", kFencedCause, reason))
      .has_value();
}

bool Ledger::open_in_stream() const noexcept {
  return std::any_of(open_.begin(), open_.end(), [this](const LedgerInterval& interval) {
    return BL_MUTANT(foreign_interval_covers, true, is_of_this_stream(interval));
  });
}

std::string Ledger::acknowledge(std::uint64_t id, std::string_view by) {
  if (id == 0 || id >= next_id_) return fmt::format("there is no interval {}", id);
  if (id <= acknowledged_) return fmt::format("interval {} is already acknowledged", id);
  for (const LedgerInterval& interval : open_) {
    if (interval.id <= id)
      return fmt::format("interval {} is still open, because no quorum covers it yet", interval.id);
  }
  if (!append(LedgerAck{id, std::string(by.substr(0, kMaxReasonBytes)), wall_clock_text()}))
    return failure_;
  return {};
}

bool Ledger::close_all(Position to, const CountGroups& count_groups) {
  // Closing changes open_, so the intervals to close are copied first.
  std::vector<std::pair<Position, std::uint64_t>> todo;
  for (const LedgerInterval& interval : open_) {
    if (is_of_this_stream(interval)) todo.emplace_back(interval.from, interval.id);
  }
  std::sort(todo.begin(), todo.end());
  Position counted_to;
  for (const auto& [from, id] : todo) {
    const Position end = std::max(from, to);
    const Position begin = std::max(from, counted_to);
    const auto groups = begin < end ? count_groups(begin, end) : std::optional<std::uint64_t>(0);
    // Groups that were counted with an earlier interval are in this one all the same.
    const bool counted = groups.has_value() && begin == from;
    if (!close_interval(id, end, groups.value_or(0), counted, !groups.has_value())) return false;
    counted_to = std::max(counted_to, end);
  }
  return true;
}

// If an older file does not say it, the present stream is assumed.
bool Ledger::is_of_this_stream(const LedgerInterval& interval) const noexcept {
  return interval.stream.is_null() ||
         BL_MUTANT(ledger_streams_mixed, true, interval.stream == stream_);
}

bool Ledger::begin_stream(const Uuid& origin) {
  stream_ = origin;
  std::vector<std::pair<Position, std::uint64_t>> foreign;
  for (const LedgerInterval& interval : open_) {
    if (!is_of_this_stream(interval)) foreign.emplace_back(interval.from, interval.id);
  }
  for (const auto& [from, id] : foreign) {
    if (!add_cause(id, ExposureKind::server_side, "its stream is over, so its end is unknown") ||
        !close_interval(id, from, 0))
      return false;
  }
  return true;
}

std::vector<LedgerInterval> Ledger::list() const {
  std::vector<LedgerInterval> all(closed_.begin(), closed_.end());
  all.insert(all.end(), open_.begin(), open_.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (LedgerInterval& interval : all)
    interval.acknowledged = interval.id <= acknowledged_ || empty_.contains(interval.id);
  return all;
}

ExposureCause Ledger::make_cause(ExposureKind kind, std::string_view reason) const {
  return {kind, std::string(reason.substr(0, kMaxReasonBytes)), wall_clock_text()};
}

void Ledger::fail(std::string_view doing, int error) {
  if (failed()) return;
  failure_ = fmt::format("{} the ledger failed: {}; no commit will be released without a quorum",
                         doing, errno_text(error));
}

LedgerInterval* Ledger::find_open(std::uint64_t id) {
  const auto found = std::find_if(open_.begin(), open_.end(), [id](const LedgerInterval& interval) {
    return interval.id == id;
  });
  return found == open_.end() ? nullptr : &*found;
}

}  // namespace binlane

#include "control/applied_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "shim/archive_gtids.h"
#include "shim/fixed_feed_limit.h"

namespace binlane {
namespace {

// How long one wait in the server, or for the archive, may take; it bounds stop() as well.
constexpr double kServerWaitS = 0.1;
constexpr std::uint64_t kArchiveWaitNs = 100 * kNanosPerMilli;
// Between two attempts at a server that does not answer, or files that cannot be read.
constexpr std::chrono::milliseconds kRetryPause{500};
// Between two looks at the server while nobody waits for it.
constexpr std::chrono::milliseconds kUnawaitedPause{100};

GtidPosition position_of(const GtidEntry& gtid) {
  GtidPosition position;
  position.set(gtid);
  return position;
}

}  // namespace

std::optional<std::uint64_t> units_between(
    Position from, Position to,
    const std::function<std::optional<std::uint64_t>(std::uint32_t)>& size_of) {
  BL_ASSERT(from <= to);
  std::uint64_t units = 0;
  std::uint64_t offset = from.offset;
  for (std::uint32_t file = from.file; file < to.file; ++file) {
    const auto size = size_of(file);
    if (!size || *size < offset) return std::nullopt;
    units += *size - offset + 1;
    offset = 0;
  }
  return units + to.offset - offset;
}

AppliedWatch::AppliedWatch(Options options, FeedLimit& limit, std::function<bool(Position)> tell)
    : options_(std::move(options)),
      limit_(limit),
      tell_(std::move(tell)),
      connection_(options_.account) {}

AppliedWatch::~AppliedWatch() {
  stop();
}

std::string AppliedWatch::start() {
  const std::string problem = start_thread(thread_, [this] { run(); });
  return problem.empty() ? problem
                         : "what this host's server has executed cannot be told: " + problem;
}

void AppliedWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  connection_.interrupt();
  if (thread_.joinable()) thread_.join();
}

bool AppliedWatch::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void AppliedWatch::pause(std::chrono::milliseconds length) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, length, [this] { return stopping_; });
}

std::optional<Position> AppliedWatch::executed() const {
  const std::lock_guard lock(mutex_);
  return shown_executed_.is_null() ? std::nullopt : std::optional(shown_executed_);
}

void AppliedWatch::show_executed() {
  const std::lock_guard lock(mutex_);
  shown_executed_ = executed_;
}

void AppliedWatch::run() {
  while (!stopping()) work();
}

void AppliedWatch::work() {
  const std::uint64_t until_ns = monotonic_ns() + kArchiveWaitNs;
  if (!reader_ && !begin()) {
    limit_.wait_beyond(limit_.whole_groups(), until_ns);
    return;
  }
  const Position limit = limit_.whole_groups();
  if (!read_groups()) {
    // From the limit on again, as at the start.
    reader_.reset();
    groups_ = {};
    return pause(kRetryPause);
  }
  if (!groups_.empty()) {
    const auto state = ask_server();
    if (!state) return pause(kRetryPause);
    executed_ = std::max(executed_, groups_.take_executed(*state));
  }
  // Behind the last group may stand events that are nobody's to execute.
  if (groups_.empty()) executed_ = std::max(executed_, reader_->position());
  show_executed();
  if (executed_ > told_ && tell_(executed_)) told_ = executed_;
  if (!options_.awaited()) return pause(kUnawaitedPause);
  if (groups_.empty()) limit_.wait_beyond(std::max(reader_->position(), limit), until_ns);
}

// Everything in front of the limit as it is now counts as one stretch.
bool AppliedWatch::begin() {
  const std::string basename = options_.basename();
  const Position from = limit_.whole_groups();
  if (basename.empty() || from.is_null()) return false;
  const ArchivePlace place{options_.archive_dir, basename};
  FixedFeedLimit fixed;
  fixed.set(from);
  ArchiveGtids gtids(place, fixed, [this] { return stopping(); });
  const auto history = gtids.history();
  if (!history) {
    failed(gtids.error());
    return false;
  }
  reader_.emplace(place, limit_);
  if (!reader_->open(from)) {
    failed(reader_->error());
    reader_.reset();
    return false;
  }
  groups_.add(history->position(), from);
  return true;
}

bool AppliedWatch::read_groups() {
  BinlogGroup group;
  while (!groups_.full()) {
    switch (reader_->next(group)) {
      case GroupReader::Step::group:
        groups_.add(position_of(group.gtid), group.end);
        break;
      case GroupReader::Step::at_limit:
        return true;
      case GroupReader::Step::file_end: {
        const Position next{reader_->position().file + 1, 0};
        // A file of which nothing is released yet may not exist.
        if (limit_.whole_groups() <= Position{next.file, kBinlogMagicSize}) return true;
        if (reader_->open(next)) break;
        failed(reader_->error());
        return false;
      }
      case GroupReader::Step::failed:
        failed(reader_->error());
        return false;
    }
  }
  return true;
}

std::optional<GtidPosition> AppliedWatch::ask_server() {
  if (!connection_.is_connected()) {
    if (const SqlError error = connection_.connect(); !error.ok()) return failed(to_string(error));
  }
  const QueryResult waited = connection_.query(fmt::format(
      "SELECT MASTER_GTID_WAIT({}, {})", quote_sql(groups_.next().text()), kServerWaitS));
  if (!waited.ok()) return failed(to_string(waited.error));
  const QueryResult found = connection_.query("SELECT @@GLOBAL.gtid_slave_pos");
  if (!found.ok()) return failed(to_string(found.error));
  const auto state =
      found.rows.empty() ? std::nullopt : GtidPosition::parse(found.rows[0][0].value_or(""));
  if (!state) return failed("the server does not tell gtid_slave_pos");
  problem_.clear();
  return state;
}

std::optional<GtidPosition> AppliedWatch::failed(const std::string& problem) {
  if (problem != problem_ && !stopping())
    log::warning("applied_unknown", "what this host's server has executed cannot be told: {}",
                 problem);
  problem_ = problem;
  return std::nullopt;
}

}  // namespace binlane

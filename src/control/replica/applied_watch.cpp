#include "control/replica/applied_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

// The longest wait in the server, or for the archive; stop() takes at most this long, too.
constexpr double kServerWaitS = 0.1;
constexpr std::uint64_t kArchiveWaitNs = 100 * kNanosPerMilli;
// Between two attempts, when the server does not answer or files cannot be read.
constexpr std::chrono::milliseconds kRetryPause{500};
// Between two questions to the server while no commit waits for the answer.
constexpr std::chrono::milliseconds kUnawaitedPause{100};

// Nothing if the group has no GTID: no server tells whether it has executed such a group.
std::optional<GtidSet> set_of(const Gtid& gtid) {
  GtidSet set(gtid.mysql() != nullptr ? GtidGrammar::mysql : GtidGrammar::mariadb);
  return set.add(gtid) ? std::optional(std::move(set)) : std::nullopt;
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
                         : "cannot find out what this host's server has executed: " + problem;
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
    // Begins again at the limit, as after a start.
    reader_.reset();
    groups_ = {};
    return pause(kRetryPause);
  }
  if (!groups_.empty()) {
    const auto state = ask_server();
    if (!state) return pause(kRetryPause);
    executed_ = std::max(executed_, groups_.take_executed(*state));
  }
  // The last group may be followed by events that no server executes, for example a Rotate.
  if (groups_.empty()) executed_ = std::max(executed_, reader_->position());
  show_executed();
  // The server has executed nothing that the feed did not serve. [I7]
  BL_ASSERT(executed_ <= limit_.whole_groups());
  if (executed_ > told_ && tell_(executed_)) told_ = executed_;
  if (!options_.awaited()) return pause(kUnawaitedPause);
  if (groups_.empty()) limit_.wait_beyond(std::max(reader_->position(), limit), until_ns);
}

// Everything before the present limit counts as one stretch, which the server has executed when it
// has reached the GTID state at the limit.
bool AppliedWatch::begin() {
  BL_ASSERT(!reader_ && groups_.empty());
  const std::string basename = options_.basename();
  const Position from = limit_.whole_groups();
  if (basename.empty() || from.is_null()) return false;
  const ArchivePlace place{options_.archive_dir, basename};
  FixedFeedLimit fixed;
  fixed.set(from);
  ArchiveGtids gtids(place, fixed, [this] { return stopping(); });
  auto executed = gtids.executed();
  if (!executed) {
    failed(gtids.error());
    return false;
  }
  reader_.emplace(place, limit_);
  if (!reader_->open(from)) {
    failed(reader_->error());
    reader_.reset();
    return false;
  }
  groups_.add(std::move(*executed), from);
  return true;
}

bool AppliedWatch::read_groups() {
  BinlogGroup group;
  while (!groups_.full()) {
    switch (reader_->next(group)) {
      case GroupReader::Step::group: {
        auto wanted = set_of(group.gtid);
        if (!wanted) {
          failed(fmt::format("the group at {} has no GTID", to_string(group.begin)));
          return false;
        }
        groups_.add(std::move(*wanted), group.end);
        break;
      }
      case GroupReader::Step::at_limit:
        return true;
      case GroupReader::Step::file_end: {
        const Position next{reader_->position().file + 1, 0};
        // While nothing of the next file is released, that file may not exist.
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

std::optional<GtidSet> AppliedWatch::ask_server() {
  if (!connection_.is_connected()) {
    if (const SqlError error = connection_.connect(); !error.ok()) return failed(to_string(error));
  }
  const ServerWords& words = connection_.words();
  if (const std::string mismatch = kind_mismatch(words, groups_.next().grammar());
      !mismatch.empty())
    return failed(mismatch);
  const QueryResult waited =
      connection_.query(wait_executed_sql(words, groups_.next().text(), kServerWaitS));
  if (!waited.ok()) return failed(to_string(waited.error));
  const QueryResult found = connection_.query(words.executed_gtids);
  if (!found.ok()) return failed(to_string(found.error));
  auto state = found.rows.empty()
                   ? std::nullopt
                   : GtidSet::parse(groups_.next().grammar(), found.rows[0][0].value_or(""));
  if (!state)
    return failed(
        fmt::format("the server's answer to {} is no set of GTIDs", words.executed_gtids));
  problem_.clear();
  return state;
}

std::optional<GtidSet> AppliedWatch::failed(const std::string& problem) {
  if (problem != problem_ && !stopping())
    log::warning("applied_unknown", "cannot find out what this host's server has executed: {}",
                 problem);
  problem_ = problem;
  return std::nullopt;
}

}  // namespace binlane

#include "control/stream/incarnation_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/stream/stream_fingerprint.h"

namespace binlane {

IncarnationEnd end_of(const TailView& tail) {
  BL_ASSERT(stops_tailer(tail.stopped));
  const std::uint32_t file = tail.map.current_file();
  switch (tail.stopped) {
    case TailEvent::server_restarted:
      return {"the server was restarted", {}};
    case TailEvent::shrunk:
      return {fmt::format("binlog {} became shorter", file), {}};
    case TailEvent::reset:
      return {"the server's binlogs were reset",
              BL_MUTANT(reset_passed_over, NextStream{}, NextStream{true, 0})};
    case TailEvent::damaged:
      return {fmt::format("binlog {} is damaged: {}", file, discontinuity_text(tail.tracker)), {}};
    case TailEvent::gap:
      return {fmt::format("binlog {} does not go on where the one before it ended", file),
              {true, file}};
    default:
      if (tail.tracker.fault() != TrackerFault::none)
        return {
            fmt::format("binlog {} cannot be followed at {}: {}", file,
                        to_string(tail.tracker.fault_position()), to_string(tail.tracker.fault())),
            {}};
      return {fmt::format("binlog {} cannot be followed: {}", file, errno_text(tail.error)), {}};
  }
}

std::optional<IncarnationStart> StartFinder::find(const SourceState& before,
                                                  const NextStream& next) {
  IncarnationStart begin;
  begin.state = before;
  if (!settle_stream(begin.state, next)) return std::nullopt;
  SourceState& state = begin.state;
  begin.same_stream = before.origin == state.origin;
  begin.fresh = !begin.same_stream || before.epoch.incarnation == 0 ||
                BL_MUTANT(fresh_only_once, false, !before.promised);
  begin.same_run = begin.same_stream && found_.same_run;
  // On record until the ledger has it: this daemon may die before.
  state.unaccounted =
      !begin.fresh &&
      (BL_MUTANT(restart_accounted_early, false, state.unaccounted) || !begin.same_run);
  state.ended_in_order = state.ended_in_order && state.unaccounted && begin.same_run;
  if (begin.same_stream && !prove_stream(state, begin.proven)) return std::nullopt;
  begin.first = std::max(found_.first, state.stream_start.file);
  const auto synced = sync_everything(std::max(begin.first, state.synced.file));
  if (!synced) return std::nullopt;
  if (*synced < state.synced)
    return refuse(fmt::format(
        "the binlog ends at {}, but was synced up to {} before: the data folder was restored or "
        "lost data; this server must not be a source {}",
        to_string(*synced), to_string(state.synced), new_beginning()));
  // The files before the one where the synced mark was were read whole when it moved over them.
  const ScanChecks checks{true, begin.same_stream ? before.synced.file : 0};
  const ScanResult scan = scan_stream(folder_, begin.first, found_.last, begin.start, checks);
  damaged_ = !scan.damage.empty();
  if (damaged_) return refuse(scan_text(scan) + "; " + damage_remedy());
  if (!scan.ok()) return refuse(scan_text(scan));
  // A group that is not whole yet is not announced: a server that dies now may cut it off when it
  // recovers (S6).
  state.synced = std::max(state.synced, std::min(*synced, begin.start.tracker.last_group_end()));
  state.anchor = make_anchor(folder_, state.synced, state.anchor);
  state.basename = found_.basename;
  state.epoch.incarnation +=
      BL_MUTANT(incarnation_not_raised, state.epoch.incarnation == 0 ? 1U : 0U, 1U);
  state.server_run = found_.server_run;
  state.run_start = {found_.run_first_file, kBinlogMagicSize};
  if (begin.same_stream) begin.safe = std::min(before.synced, before.quorum);
  remember_safe_mark(state.safe_marks, {state.epoch, begin.safe});
  return begin;
}
std::nullopt_t StartFinder::refuse(std::string why) {
  refusal_ = std::move(why);
  return std::nullopt;
}
std::string StartFinder::new_beginning() const {
  return fmt::format("(if this is meant to be a new beginning, remove {} and re-seed the replicas)",
                     state_path_);
}

// Whole event groups may be in the server's tables, and their clients told OK, that are in no
// part of the binlog which a replica can be given.
std::string StartFinder::damage_remedy() const {
  return fmt::format(
      "no replica can be given what the server wrote after that place; begin a new stream with "
      "this server's data: {}, stop binlaned, remove {}, start it, and re-seed every replica "
      "(OPERATIONS.md, \"A damaged binlog\")",
      found_.reset_binlogs, state_path_);
}

// Which stream this is: the one on record, or a new one (S16).
bool StartFinder::settle_stream(SourceState& state, const NextStream& next) {
  const bool first_time = state.origin.is_null();
  const bool renamed = !first_time && state.basename != found_.basename;
  if (!first_time && !renamed && !next.anew) {
    if (found_.last >= state.synced.file) return true;
    refuse(fmt::format(
        "the newest binlog is number {}, but number {} was synced before: the binlogs were reset "
        "or the data folder was restored while nobody watched {}",
        found_.last, state.synced.file, new_beginning()));
    return false;
  }
  if (!first_time)
    log::error("new_stream",
               "the binlogs were {}: this is a new stream, and replicas of the old one are refused "
               "until they are re-seeded",
               renamed ? "renamed" : "reset");
  const Epoch epoch = state.epoch;
  state = {};
  state.origin = Uuid::random();
  state.epoch = {std::max<std::uint32_t>(epoch.term, 1), epoch.incarnation};
  state.stream_start = {next.file == 0 ? found_.first : next.file, 0};
  return true;
}

// Whether the binlogs found are those of the stream on record, by their bytes.
bool StartFinder::prove_stream(SourceState& state, bool& proven) {
  const Position at = state.anchor.at;
  switch (check_anchor(folder_, state.anchor)) {
    case FingerprintCheck::none:
    case FingerprintCheck::same:
      return true;
    case FingerprintCheck::gone:
      log::warning("stream_unproven",
                   "binlog {} is gone, by which this stream would be known again: no commit is "
                   "acknowledged before the replicas have proven that they hold it",
                   at.file);
      proven = false;
      state.quorum = {};
      state.anchor = {};
      return true;
    case FingerprintCheck::failed:
      refuse(fmt::format("binlog {} cannot be read", at.file));
      return false;
    case FingerprintCheck::differs:
      break;
  }
  refuse(
      fmt::format("the binlogs do not hold what was synced up to {}: they were reset or the "
                  "data folder was restored while nobody watched {}",
                  to_string(at), new_beginning()));
  return false;
}

// The server's whole files up to here are what we have synced ourselves (S7): the size is read
// before the sync.
std::optional<Position> StartFinder::sync_everything(std::uint32_t first) {
  const int handle = folder_.open(found_.last);
  const std::int64_t size = handle < 0 ? handle : folder_.size(handle);
  if (handle >= 0) folder_.close(handle);
  if (size == -ENOENT)
    return refuse(fmt::format(
        "binlog {}, the newest of the index, is gone; the server goes on writing to the "
        "removed file, which no replica can be given: FLUSH BINARY LOGS makes the next "
        "one, and replicas that lack what is lost have to be re-seeded",
        found_.last));
  if (size < 0)
    return refuse(
        fmt::format("cannot read binlog {}: {}", found_.last, errno_text(static_cast<int>(-size))));
  const SyncResult synced = sync_files(folder_, first, found_.last);
  if (synced.error != 0)
    return refuse(fmt::format("cannot sync binlog {}: {}", synced.file, errno_text(synced.error)));
  return Position{found_.last, static_cast<std::uint64_t>(size)};
}

}  // namespace binlane

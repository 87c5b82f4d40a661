// StartFinder: where an incarnation of a source begins, or why there can be none: which stream the
// binlogs are of (safety rules S3, S5, S16), and what of them is durable before the first byte of
// it is announced (S7). Also what ends an incarnation, and which stream the next one is of then.
//
// Template over the binlog files, so that the simulator runs this very code. Blocks while it reads
// and syncs files: control thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"
#include "control/source_state.h"
#include "control/stream_anchor.h"
#include "shim/stream_scan.h"
#include "shim/tailer.h"

namespace binlane {

// Which stream the next incarnation is of: the one on record, or a new one that begins with `file`
// (0: the first binlog there is).
struct NextStream {
  bool anew = false;
  std::uint32_t file = 0;
};

struct IncarnationEnd {
  std::string reason;
  NextStream next;
};

// What the server shows of its binlogs.
struct FoundBinlogs {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::string basename;
  std::string server_run;            // as it goes on record
  bool same_run = false;             // which is the one on record
  std::uint32_t run_first_file = 0;  // the first one of this run of the server
};

struct IncarnationStart {
  SourceState state;  // to be stored before anything else happens
  StreamStart start;  // for the tailer
  std::uint32_t first = 0;
  bool same_stream = false;
  bool same_run = false;  // of the server, too
  // No commit of this stream has waited yet: what the server was told can only be of another (S16).
  bool fresh = false;
  // False: what could tell that the binlogs are this stream's was purged. Nothing that was
  // acknowledged before is known to be in them, and only the quorum of this incarnation says where
  // to register (S3).
  bool proven = true;
  // What was safe before this incarnation stays safe: nothing of it may be cut (S5).
  Position safe;
};

// What a stopped tailer means.
template <class Tailer>
IncarnationEnd end_of(TailEvent why, const Tailer& tailer) {
  const std::uint32_t file = tailer.map().current_file();
  switch (why) {
    case TailEvent::server_restarted:
      return {"the server was restarted", {}};
    case TailEvent::shrunk:
      return {fmt::format("binlog {} became shorter", file), {}};
    case TailEvent::reset:
      return {"the server's binlogs were reset", {!canary(Canary::reset_passed_over), 0}};
    case TailEvent::damaged:
      return {fmt::format("binlog {} is damaged: {}", file, discontinuity_text(tailer.tracker())),
              {}};
    case TailEvent::gap:
      return {fmt::format("binlog {} does not go on where the one before it ended", file),
              {true, file}};
    default:
      if (tailer.fault() != TrackerFault::none)
        return {
            fmt::format("binlog {} cannot be followed at {}: {}", file,
                        to_string(tailer.tracker().fault_position()), to_string(tailer.fault())),
            {}};
      return {fmt::format("binlog {} cannot be followed: {}", file, errno_text(tailer.error())),
              {}};
  }
}

// `sync` makes the files from one to another durable and says how that went (SyncResult).
// `state_path` is for people.
template <BinlogFiles Files, class Sync>
class StartFinder {
 public:
  StartFinder(Files& files, Sync sync, const FoundBinlogs& found, std::string state_path)
      : files_(files), sync_(std::move(sync)), found_(found), state_path_(std::move(state_path)) {}

  // Nothing: refusal() says why.
  std::optional<IncarnationStart> find(const SourceState& before, const NextStream& next) {
    IncarnationStart begin;
    begin.state = before;
    if (!settle_stream(begin.state, next)) return std::nullopt;
    SourceState& state = begin.state;
    begin.same_stream = before.origin == state.origin;
    begin.fresh = !begin.same_stream || before.epoch.incarnation == 0 ||
                  (!before.promised && !canary(Canary::fresh_only_once));
    begin.same_run = begin.same_stream && found_.same_run;
    // On record until the ledger has it: this daemon may die before.
    state.unaccounted =
        !begin.fresh &&
        ((state.unaccounted && !canary(Canary::restart_accounted_early)) || !begin.same_run);
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
    const ScanResult scan = scan_stream(files_, begin.first, found_.last, begin.start, checks);
    damaged_ = !scan.damage.empty();
    if (damaged_) return refuse(scan_text(scan) + "; " + damage_remedy());
    if (!scan.ok()) return refuse(scan_text(scan));
    // A group that is not whole yet is not announced: a server that dies now may cut it off when it
    // recovers (S6).
    state.synced = std::max(state.synced, std::min(*synced, begin.start.tracker.last_group_end()));
    state.anchor = make_anchor(files_, state.synced, state.anchor);
    state.basename = found_.basename;
    if (!canary(Canary::incarnation_not_raised) || state.epoch.incarnation == 0)
      state.epoch.incarnation += 1;
    state.server_run = found_.server_run;
    state.run_start = {found_.run_first_file, kBinlogMagicSize};
    if (begin.same_stream) begin.safe = std::min(before.synced, before.quorum);
    remember_safe_mark(state.safe_marks, {state.epoch, begin.safe});
    return begin;
  }
  const std::string& refusal() const noexcept { return refusal_; }
  // It was refused because of damage in the binlogs: that does not pass by itself.
  bool damaged() const noexcept { return damaged_; }

 private:
  std::nullopt_t refuse(std::string why) {
    refusal_ = std::move(why);
    return std::nullopt;
  }
  std::string new_beginning() const {
    return fmt::format(
        "(if this is meant to be a new beginning, remove {} and re-seed the replicas)",
        state_path_);
  }

  // Whole event groups may be in the server's tables, and their clients told OK, that are in no
  // part of the binlog which a replica can be given.
  std::string damage_remedy() const {
    return fmt::format(
        "no replica can be given what the server wrote after that place; begin a new stream with "
        "this server's data: RESET MASTER, stop binlaned, remove {}, start it, and re-seed every "
        "replica (OPERATIONS.md, \"A damaged binlog\")",
        state_path_);
  }

  // Which stream this is: the one on record, or a new one (S16).
  bool settle_stream(SourceState& state, const NextStream& next) {
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
      log::error(
          "new_stream",
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
  bool prove_stream(SourceState& state, bool& proven) {
    const Position at = state.anchor.at;
    switch (check_anchor(files_, state.anchor)) {
      case AnchorCheck::none:
      case AnchorCheck::same:
        return true;
      case AnchorCheck::gone:
        log::warning("stream_unproven",
                     "binlog {} is gone, by which this stream would be known again: no commit is "
                     "acknowledged before the replicas have proven that they hold it",
                     at.file);
        proven = false;
        state.quorum = {};
        state.anchor = {};
        return true;
      case AnchorCheck::failed:
        refuse(fmt::format("binlog {} cannot be read", at.file));
        return false;
      case AnchorCheck::differs:
        break;
    }
    refuse(fmt::format(
        "the binlogs do not hold what was synced in front of {} before: they were reset or the "
        "data folder was restored while nobody watched {}",
        to_string(at), new_beginning()));
    return false;
  }

  // The server's whole files up to here are what we have synced ourselves (S7): the size is read
  // before the sync.
  std::optional<Position> sync_everything(std::uint32_t first) {
    const int handle = files_.open(found_.last);
    const std::int64_t size = handle < 0 ? handle : files_.size(handle);
    if (handle >= 0) files_.close(handle);
    if (size == -ENOENT)
      return refuse(fmt::format(
          "binlog {}, the newest of the index, is gone; the server goes on writing to the "
          "removed file, which no replica can be given: FLUSH BINARY LOGS makes the next "
          "one, and replicas that lack what is lost have to be re-seeded",
          found_.last));
    if (size < 0)
      return refuse(fmt::format("cannot read binlog {}: {}", found_.last,
                                errno_text(static_cast<int>(-size))));
    const SyncResult synced = sync_(first, found_.last);
    if (synced.error != 0)
      return refuse(
          fmt::format("cannot sync binlog {}: {}", synced.file, errno_text(synced.error)));
    return Position{found_.last, static_cast<std::uint64_t>(size)};
  }

  Files& files_;
  Sync sync_;
  const FoundBinlogs& found_;
  std::string state_path_;
  std::string refusal_;
  bool damaged_ = false;
};

}  // namespace binlane

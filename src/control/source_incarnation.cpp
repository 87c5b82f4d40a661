// SourceControl, the part that begins and ends incarnations: which stream it is, where it stands,
// and what must be durable before its first byte is announced.

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "control/quorum_text.h"
#include "control/source_control.h"
#include "shim/server_run_files.h"

namespace binlane {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// The server's whole files up to here are what we have synced ourselves (S7): the size is read
// before the sync.
std::optional<Position> sync_everything(const PosixBinlogFiles& files, std::uint32_t first,
                                        std::uint32_t last, std::string& problem) {
  const int handle = files.open(last);
  const std::int64_t size = handle < 0 ? handle : files.size(handle);
  if (handle >= 0) files.close(handle);
  if (size < 0) {
    problem = fmt::format("cannot read binlog {}: {}", last, errno_text(static_cast<int>(-size)));
    return std::nullopt;
  }
  const SyncResult synced = sync_files(files, first, last);
  if (synced.error != 0) {
    problem = fmt::format("cannot sync binlog {}: {}", synced.file, errno_text(synced.error));
    return std::nullopt;
  }
  return Position{last, static_cast<std::uint64_t>(size)};
}

}  // namespace

bool SourceControl::begin_incarnation(const ServerFacts& facts, std::uint64_t now_ns) {
  const BinlogIndex index =
      read_binlog_index(facts.log_bin_index, directory_of(facts.log_bin_basename));
  if (!index.error.empty()) {
    refuse(index.error);
    return false;
  }
  const ServerRunFiles run_files =
      find_server_run_files(facts.log_bin_index, facts.log_bin_basename);
  if (run_files.first == 0) {
    refuse(run_files.error);
    return false;
  }
  const auto rule = rule_to_begin_with();
  if (!rule) return false;
  SourceState next = state_;
  if (!settle_stream(index, next)) return false;

  files_.emplace(index.directory, index.basename);
  const bool same_stream = state_.origin == next.origin;
  bool proven = true;
  if (same_stream && !prove_stream(next, proven)) return false;
  const std::uint32_t first = std::max(index.first, next.stream_start.file);
  const std::uint32_t unsynced = std::max(first, next.synced.file);
  const auto synced = sync_everything(*files_, unsynced, index.last, problem_);
  if (!synced) {
    refuse(problem_);
    return false;
  }
  if (*synced < next.synced) {
    refuse(fmt::format(
        "the binlog ends at {}, but was synced up to {} before: the data folder was restored or "
        "lost "
        "data; this server must not be a source (if this is meant to be a new beginning, remove {} "
        "and re-seed the replicas)",
        to_string(*synced), to_string(next.synced), state_file_path(config_)));
    return false;
  }
  StreamStart start;
  const ScanResult scan = scan_stream(*files_, first, index.last, start);
  if (!scan.ok()) {
    refuse(fmt::format(
        "binlog {} cannot be read: {}", scan.file,
        scan.fault == TrackerFault::none ? errno_text(scan.error) : to_string(scan.fault)));
    return false;
  }
  // A group that is not whole yet is not announced: a server that dies now may cut it off when it
  // recovers (S6).
  next.synced = std::max(next.synced, std::min(*synced, start.tracker.last_group_end()));
  next.anchor = make_anchor(*files_, next.synced, next.anchor);
  next.basename = index.basename;
  next.epoch.incarnation += 1;
  const auto last_run = parse_server_run(next.server_run);
  same_run_ = last_run && last_run->is_same_as(facts.run);
  next.server_run = to_string(facts.run);
  next.run_start = {run_files.first, kBinlogMagicSize};
  // What was safe before this incarnation stays safe: nothing of it may be cut (S5).
  const Position safe = same_stream ? std::min(state_.synced, state_.quorum) : Position{};
  remember_safe_mark(next.safe_marks, {next.epoch, safe});
  if (const int error = state_file_.store(next); error != 0) {
    refuse(fmt::format("cannot store {}: {}", state_file_path(config_), errno_text(error)));
    return false;
  }
  fresh_stream_ = !same_stream || state_.epoch.incarnation == 0;
  state_ = next;
  next_stream_ =
      NextStream::same;  // only now: until the record stands, the next attempt begins anew as well
  next_stream_file_ = 0;
  if (!ledger_.begin_stream(state_.origin)) log::error("ledger_failed", "{}", ledger_.failure());
  run_ = facts.run;
  read_only_ = facts.read_only;

  RoleState role = role_.state();
  role.binlog_index = facts.log_bin_index;
  role.binlog_base = facts.log_bin_basename;
  if (const int error = role_.store(role); error != 0)
    log::error("role_not_stored", "cannot store {}: {}", role_file_path(config_),
               errno_text(error));

  if (!lane_.stand_still()) {
    refuse("the lane does not stand still");
    return false;
  }
  if (!lane_.bound() || directory_ != index.directory || !same_stream)
    lane_.bind(index.directory, index.basename, drain_);
  directory_ = index.directory;
  if (const int error = lane_.begin_incarnation(start, state_.epoch, *rule, now_ns); error != 0) {
    refuse(fmt::format("binlog {} cannot be opened: {}", index.last, errno_text(error)));
    return false;
  }
  proof_ = std::make_unique<PosixStreamProof>(*files_);
  proof_->refresh(lane_.stream().tailer().map(), lane_.stream().written());
  lane_.go_on();

  desk_ = std::make_unique<HandshakeDesk>(replicas_, *proof_, lane_.queues());
  exposures_.emplace(state_.origin, state_.epoch);
  look_at_ledger();
  SourceHandshake::Identity identity;
  identity.cluster_id = cluster_id_of(config_.cluster);
  identity.origin = state_.origin;
  identity.epoch = state_.epoch;
  identity.source_name = config_.name;
  identity.basename = state_.basename;
  identity.rule_number = source_.quorum.number;
  identity.rule = to_string(source_.quorum, source_.replica_names());
  identity.rule_alone = !rule_open_;
  identity.stream_term = state_.epoch.term;
  identity.candidate = role_.state().host_id;
  // Behind a promotion the replicas come from the stream that it sealed (S2).
  const PromotionRecord& promotion = role_.state().promotion;
  if (promotion.step == PromotionStep::active && promotion.new_origin == state_.origin) {
    identity.sealed_origin = promotion.old_stream.origin;
    identity.sealed_term = promotion.old_stream.term;
    identity.sealed_at = promotion.sealed_at;
    identity.sealed_digest = promotion.sealed_digest;
  }
  desk_->begin_incarnation(identity, safe, state_.safe_marks);
  confirmer_.restart(state_.synced);
  synced_told_ = {};
  ++incarnations_;
  log::info("incarnation", "epoch {}.{} of stream {} begins: binlogs {} to {}, synced up to {}",
            state_.epoch.term, state_.epoch.incarnation, to_string(state_.origin), first,
            index.last, to_string(state_.synced));
  {
    const std::lock_guard lock(mutex_);
    registration_ = Registration{registration_position(state_), state_.epoch.incarnation};
    // That file was purged: the server would refuse it for ever. See follow_quorum().
    registration_held_ = registration_->start.file < index.first || !proven;
    registration_run_ = run_;
    server_changed_ = false;
  }
  drain_.reconnect();
  return true;
}

// Which stream this is: the one on record, or a new one (S16).
bool SourceControl::settle_stream(const BinlogIndex& index, SourceState& state) {
  const bool first_time = state.origin.is_null();
  const bool renamed = !first_time && state.basename != index.basename;
  if (!first_time && !renamed && next_stream_ == NextStream::same) {
    if (index.last >= state.synced.file) return true;
    refuse(
        fmt::format("the newest binlog is number {}, but number {} was synced before: the binlogs "
                    "were reset or the "
                    "data folder was restored while nobody watched (if this is meant to be a new "
                    "beginning, remove "
                    "{} and re-seed the replicas)",
                    index.last, state.synced.file, state_file_path(config_)));
    return false;
  }
  if (!first_time)
    log::error(
        "new_stream",
        "the binlogs were {}: this is a new stream, and replicas of the old one are refused until "
        "they are re-seeded",
        renamed ? "renamed" : "reset");
  const Epoch epoch = state.epoch;
  state = {};
  state.origin = Uuid::random();
  state.epoch = {std::max<std::uint32_t>(epoch.term, 1), epoch.incarnation};
  state.stream_start = {next_stream_file_ == 0 ? index.first : next_stream_file_, 0};
  return true;
}

// Whether the binlogs found are those of the stream on record, by their bytes. False when they are
// not; `proven` is false when what could tell was purged. Then nothing that was acknowledged before
// is known to be in these files, and only the quorum of this incarnation says where to register
// (S3).
bool SourceControl::prove_stream(SourceState& next, bool& proven) {
  const Position at = next.anchor.at;
  switch (check_anchor(*files_, next.anchor)) {
    case AnchorCheck::none:
    case AnchorCheck::same:
      return true;
    case AnchorCheck::gone:
      log::warning("stream_unproven",
                   "binlog {} is gone, by which this stream would be known again: no commit is "
                   "acknowledged before the replicas have proven that they hold it",
                   at.file);
      proven = false;
      next.quorum = {};
      next.anchor = {};
      return true;
    case AnchorCheck::failed:
      refuse(fmt::format("binlog {} cannot be read", at.file));
      return false;
    case AnchorCheck::differs:
      break;
  }
  refuse(fmt::format(
      "the binlogs do not hold what was synced in front of {} before: they were reset or the data "
      "folder was restored while nobody watched (if this is meant to be a new beginning, remove {} "
      "and re-seed the replicas)",
      to_string(at), state_file_path(config_)));
  return false;
}

void SourceControl::end_incarnation(const std::string& reason, NextStream next) {
  log::warning("incarnation_ends", "{}", reason);
  if (next == NextStream::anew) next_stream_ = NextStream::anew;
  if (desk_) desk_->close();
  {
    const std::lock_guard lock(mutex_);
    registration_.reset();
  }
  if (lane_.stand_still() && lane_.bound()) {
    lane_.link().detach();
    lane_.stream().stop();
  }
  phase_ = Phase::looking;
  problem_ = reason;
  next_look_ns_ = 0;
}

// A dump connection that is made later begins where the quorum of this incarnation is by then:
// where it was may be purged. If it was purged before this incarnation began, registering waits
// until the quorum is proven beyond, because it would be an ACK of all that is missing (S3).
void SourceControl::follow_quorum(const SourceMarks& marks) {
  const std::lock_guard lock(mutex_);
  if (!registration_ || marks.quorum_group_at <= registration_->start) return;
  registration_->start = marks.quorum_group_at;
  if (registration_held_ && registration_->start.file >= proof_->first().file) {
    registration_held_ = false;
    drain_.retry_now();
  }
}

// On the drain thread: where to register with the server that is there now.
std::optional<Registration> SourceControl::registration_for(const ServerFacts& facts) {
  const std::lock_guard lock(mutex_);
  if (!registration_ || registration_held_) return std::nullopt;
  if (facts.run.is_same_as(registration_run_)) return registration_;
  server_changed_ = true;  // another run of the server: a new incarnation first
  registration_.reset();
  wake_.notify_all();
  return std::nullopt;
}

}  // namespace binlane

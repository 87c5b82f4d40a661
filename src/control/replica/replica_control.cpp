#include "control/replica/replica_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/stream_digest.h"
#include "base/wire_log.h"
#include "control/replica/replica_side.h"
#include "dataplane/session/session_limits.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/gtid.h"
#include "shim/feed/binlog_groups.h"

namespace binlane {
namespace {

// How many of the groups that a later term lacks are named.
constexpr std::size_t kNamedGroups = 20;

// Digest of the `length` bytes before `end` in one archived file; nothing if they cannot be read.
std::optional<std::uint32_t> digest_file_tail(const BinlogFolder& folder, Position end,
                                              std::uint64_t length) {
  BL_ASSERT(length <= end.offset);
  const OpenBinlog file(folder, end.file);
  if (file.error() != 0) return std::nullopt;
  std::vector<std::byte> bytes(length);
  const std::int64_t count = folder.read_at(file.handle(), end.offset - length, bytes);
  if (count != static_cast<std::int64_t>(length)) return std::nullopt;
  return digest_bytes(0, end.offset - length, bytes);
}

}  // namespace

ReplicaControl::ReplicaControl(const Config& config, ReplicaSide& side)
    : side_(side),
      store_(side.store()),
      lane_(side.lane()),
      admission_(config.name, cluster_id_of(config.cluster), side.store(), side.exposures(),
                 *this) {
  show_meta();
}

void ReplicaControl::refuse_all(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  refuse_all_ = reason;
}

std::optional<Successor> ReplicaControl::successor() const {
  const std::lock_guard lock(mutex_);
  return successor_;
}

void ReplicaControl::lend_to(std::vector<std::string> borrowers) {
  const std::lock_guard lock(mutex_);
  borrowers_ = std::move(borrowers);
}

TransferRequest ReplicaControl::transfer() const {
  const std::lock_guard lock(mutex_);
  return transfer_;
}

void ReplicaControl::work() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && lane_.queues().hello_in.try_pop(message); ++i)
    admit(message);
  watch_repair();
  side_.begin_again(monotonic_ns());
  side_.prune_archive(monotonic_ns());
}

void ReplicaControl::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none)
    return;  // the lane checks every frame before it hands it over
  if (frame.type() == wire::Type::exposed) return record_exposures(message, frame);
  const auto body = body_as<wire::HelloBody>(frame);
  if (!admission_.concerns(body)) {
    const std::lock_guard lock(mutex_);
    ++view_.hellos_foreign;
    return;
  }
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::refuse)) {
    note_refusal(fmt::format("the source refuses this replica: {}", field_text(body.reason)));
    return;
  }
  const auto hello = admission_.answer(message, frame, body, monotonic_ns());
  show_meta();
  if (!hello) return;
  const bool look = (body.flags & wire::kHelloLook) != 0;
  if (hello->refused && !hello->not_bound && !look)
    note_refusal(fmt::format("source {} is refused: {}", field_text(body.source_name),
                             admission_.refusal()));
  {
    const std::lock_guard lock(mutex_);
    ++view_.hellos;
    if (hello->refused) {
      ++view_.hellos_refused;
    } else if (!look && hello->bound) {
      view_.source_name = field_text(body.source_name);
      if (body.phase == static_cast<std::uint8_t>(wire::Phase::start)) view_.refusal.clear();
    }
  }
  lane_.proxy().admit(*hello);
}

void ReplicaControl::record_exposures(const HelloMessage& message, const FrameView& frame) {
  const auto answer = admission_.record(message, frame);
  show_meta();
  if (answer) lane_.proxy().send_answer(*answer);
}

void ReplicaControl::note_refusal(const std::string& refusal) {
  const std::lock_guard lock(mutex_);
  if (refusal != view_.refusal)
    log::limited(log::Level::error, "session_refused", {}, "{}", refusal);
  view_.refusal = refusal;
}

// --- what admission needs of this host -----------------------------------------------------------

std::string ReplicaControl::refuse_all() {
  const std::lock_guard lock(mutex_);
  return refuse_all_;
}

namespace {

// A candidate that only fences, or seals the old stream, is not the source yet.
bool has_begun(const wire::HelloBody& body, const Promise& candidate) {
  return body.stream_term == candidate.term && body.sealed_term != 0;
}

Successor successor_of(const wire::HelloBody& body, const Promise& candidate) {
  return {std::string(field_text(body.source_name)),
          candidate,
          {uuid_of(body.origin), body.stream_term, std::string(field_text(body.basename))},
          uuid_of(body.sealed_origin),
          body.sealed_term,
          from_wire(body.sealed_at),
          body.sealed_digest};
}

}  // namespace

bool ReplicaControl::is_news(const wire::HelloBody& body, const Promise& candidate) {
  const std::lock_guard lock(mutex_);
  if (candidate.term > deposed_by_) return true;
  if (!has_begun(body, candidate)) return false;
  return !successor_ || (candidate.term >= successor_->candidate.term &&
                         *successor_ != successor_of(body, candidate));
}

void ReplicaControl::hear(const wire::HelloBody& body, const Promise& candidate) {
  const std::lock_guard lock(mutex_);
  if (candidate.term > deposed_by_) deposed_by_ = candidate.term;
  const bool newer = !successor_ || candidate.term >= successor_->candidate.term;
  if (newer && has_begun(body, candidate)) successor_ = successor_of(body, candidate);
}

std::string ReplicaControl::source_alive() {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  const std::lock_guard lock(mutex_);
  if (!own_source_.empty()) return own_source_;
  const bool heard = marks.connected && monotonic_ns() < marks.heard_ns + kSourceHeardNs;
  return heard ? view_.source_name : std::string();
}

void ReplicaControl::tell_source_alive(const std::string& name) {
  const std::lock_guard lock(mutex_);
  own_source_ = name;
}

ReplicaLaneMarks ReplicaControl::marks() {
  return lane_.queues().marks.load();
}

ArchiverStatus ReplicaControl::archive() {
  return side_.parts()->archiver->status();
}

std::optional<std::uint32_t> ReplicaControl::digest_archive(Position end, std::uint64_t length) {
  return digest_file_tail(*side_.open_archive_files(), end, length);
}

std::optional<HeldGroups> ReplicaControl::held_groups() {
  if (!lane_.quiesce()) return std::nullopt;
  auto held =
      binlane::held_groups(*side_.open_archive_files(), lane_.journal(), store_.meta().archived);
  lane_.resume();
  BL_ASSERT(!held || held->whole_log <= held->end_log);
  return held;
}

Status ReplicaControl::count_groups(Divergence& divergence) {
  const Position reached = divergence.reached;
  BL_ASSERT(divergence.sealed_at < reached && divergence.groups == 0);
  diverged_groups_.clear();
  return Status::of_problem(read_groups(side_.archive_place(), divergence.sealed_at,
                                        reached.last_file(), [&](const BinlogGroup& group) {
                                          ++divergence.groups;
                                          if (diverged_groups_.size() < kNamedGroups)
                                            diverged_groups_.push_back(fmt::format(
                                                "GTID {} at {} to {}", to_string(group.gtid),
                                                to_string(group.begin), to_string(group.end)));
                                          return true;
                                        }));
}

void ReplicaControl::diverge(const Divergence& divergence) {
  BL_ASSERT(divergence.sealed_at < divergence.reached && divergence.groups > 0);
  side_.stop_feed();
  log::error("diverged", "{}", diverged_text(divergence));
  for (const std::string& group : diverged_groups_)
    log::error("diverged_group", "the source of term {} does not hold {}", divergence.term, group);
  if (divergence.groups > diverged_groups_.size())
    log::error("diverged_group", "and {} more", divergence.groups - diverged_groups_.size());
  const std::lock_guard lock(mutex_);
  view_.diverged_groups = diverged_groups_;
}

Status ReplicaControl::adopt_stream(const StreamIdentity& stream, const LogMark& learner) {
  if (!lane_.quiesce()) return Status::failed("the replica's lane did not stop within a second");
  Status adopted = side_.adopt_stream(stream, learner);
  lane_.resume();
  return adopted;
}

Status ReplicaControl::follow_stream(const StreamIdentity& stream, Position sealed_at) {
  const Position archived = archive().durable;
  if (!lane_.quiesce()) return Status::failed("the replica's lane did not stop within a second");
  lane_.end_session();
  lane_.journal().release(lane_.journal().end_log());
  const bool complete = BL_MUTANT(stream_switched_early, true, archived == sealed_at);
  const bool ready = complete && lane_.journal().idle() && lane_.journal().durable() == sealed_at;
  Status followed = ready ? side_.switch_stream(stream, sealed_at) : Status::pending();
  lane_.resume();
  if (!followed.is_ok()) return followed;
  BL_ASSERT(store_.stream() == stream);
  const std::lock_guard lock(mutex_);
  ++view_.streams_switched;
  return followed;
}

Status ReplicaControl::lend(const std::string& joiner, const Promise& promise) {
  BL_ASSERT(promise == store_.promise());
  const std::lock_guard lock(mutex_);
  const bool listed = std::find(borrowers_.begin(), borrowers_.end(), joiner) != borrowers_.end();
  if (BL_MUTANT(lent_to_strangers, false, !listed))
    return Status::failed(
        borrowers_.empty()
            ? "this host has no [source] section, so it cannot serve its log to a candidate"
            : fmt::format("{} is none of this host's replicas, so it does not get this host's log",
                          joiner));
  transfer_ = {joiner, promise, monotonic_ns()};
  return Status::ok();
}

void ReplicaControl::watch_repair() {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  strangers_.look(marks.unknown_peers, marks.unknown_peer, monotonic_ns());
  log::tell_suppressed();
  watch_source(marks);
  watch_files(marks);
  // Most of the time there is nothing to repair, and the superblock need not be read.
  if (lane_.queues().state.load() != 0 && admission_.watch_repair(marks)) show_meta();
}

// Logs errors that are final and whose finders do not log: the lane, and ExposureRecord.
void ReplicaControl::watch_files(const ReplicaLaneMarks& marks) {
  if (marks.failure != 0 && !std::exchange(journal_failure_said_, true))
    log::error(
        "journal_failed",
        "the journal can no longer be written: {}. This replica acknowledges nothing durable "
        "until its disk is repaired and binlaned is restarted",
        errno_text(marks.failure));
  const int error = side_.exposures().error();
  if (error != 0 && !std::exchange(exposure_failure_said_, true))
    log::error(
        "exposures_failed",
        "cannot store the record of what the source released without a quorum: {}. The source "
        "therefore announces no more such bytes to this replica",
        errno_text(error));
}

// A session does not end because its source is silent: the source may come back and continue it.
// The status shows the silence, and the log reports it once.
void ReplicaControl::watch_source(const ReplicaLaneMarks& marks) {
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t silent_ns =
      marks.connected && now_ns > marks.heard_ns ? now_ns - marks.heard_ns : 0;
  const bool away = silent_ns > kPeerTimeoutNs;
  bool before = false;
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(view_.away, away);
    view_.silent_ns = silent_ns;
    view_.marks = marks;
    const auto full = lane_.queues().times_full();
    view_.queues.assign(full.begin(), full.end());
    name = view_.source_name;
  }
  if (away && !before)
    log::warning(
        "source_silent",
        "nothing has arrived from source {} for {} ms: that host, its binlaned or the network "
        "has failed",
        name, silent_ns / kNanosPerMilli);
  if (before && !away && marks.connected)
    log::info("source_heard", "datagrams arrive from source {} again", name);
}

void ReplicaControl::show_meta() {
  const JournalMeta meta = store_.meta();
  lane_.proxy().set_state(admission_.state());
  admission_.own_exposures();
  const std::lock_guard lock(mutex_);
  view_.exposures = side_.exposures().state();
  view_.exposure_failures = side_.exposures().failures();
  const int error = side_.exposures().error();
  view_.exposure_failure =
      error == 0 ? std::string()
                 : fmt::format("cannot store the record of exposures: {}", errno_text(error));
  view_.journal_id = meta.journal;
  view_.stream = meta.stream;
  view_.promise = meta.promise;
  view_.hellos_not_bound = admission_.not_bound();
  view_.promises_put_off = admission_.promises_put_off();
  view_.rules = meta.rules;
  view_.sealed = meta.sealed;
  view_.damaged_until = meta.damaged_until;
  view_.learner_until = meta.learner_until;
}

ReplicaControl::View ReplicaControl::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace binlane

#include "control/replica_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stream_digest.h"
#include "base/wire_log.h"
#include "control/replica_side.h"
#include "dataplane/session_limits.h"
#include "shim/binlog_files.h"
#include "shim/binlog_groups.h"
#include "shim/gtid_position.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kTurn{5};
// Of the groups that a later term lacks so many are named.
constexpr std::size_t kNamedGroups = 20;

// Digest of the bytes in front of `end` in one archived file; nothing when they cannot be read.
std::optional<std::uint32_t> digest_file_tail(const PosixBinlogFiles& files, Position end,
                                              std::uint64_t length) {
  const int handle = files.open(end.file);
  if (handle < 0) return std::nullopt;
  std::vector<std::byte> bytes(length);
  const std::int64_t count = files.read_at(handle, end.offset - length, bytes);
  files.close(handle);
  if (count != static_cast<std::int64_t>(length)) return std::nullopt;
  return digest_bytes(0, end.offset - length, bytes);
}

}  // namespace

ReplicaControl::ReplicaControl(const Config& config, ReplicaSide& side)
    : side_(side),
      file_(side.file()),
      lane_(side.lane()),
      admission_(config.name, cluster_id_of(config.cluster), side.file(), side.exposures(), *this) {
  show_meta();
}

ReplicaControl::~ReplicaControl() {
  stop();
}

void ReplicaControl::start() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = false;
  }
  thread_ = std::thread([this] { run(); });
}

void ReplicaControl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReplicaControl::run() {
  const HeartbeatScope alive(heart_);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto* const call = call_;
    lock.unlock();
    still_alive();
    if (call != nullptr) {
      (*call)();
      show_meta();
    }
    work();
    lock.lock();
    if (call != nullptr) {
      call_ = nullptr;
      called_.notify_all();
    }
    wake_.wait_for(lock, kTurn, [this] { return stopping_ || call_ != nullptr; });
  }
  ended_ = true;
  called_.notify_all();
}

bool ReplicaControl::call(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  BL_ASSERT(call_ == nullptr);
  if (ended_) return false;
  call_ = &work;
  wake_.notify_all();
  called_.wait(lock, [this] { return call_ == nullptr || ended_; });
  return std::exchange(call_, nullptr) == nullptr;
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

Loan ReplicaControl::loan() const {
  const std::lock_guard lock(mutex_);
  return loan_;
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
    return;  // the lane has looked at it already
  if (frame.type() == wire::Type::exposed) return record_exposures(message, frame);
  const auto body = body_as<wire::HelloBody>(frame);
  if (!admission_.concerns(body)) {
    const std::lock_guard lock(mutex_);
    ++view_.hellos_foreign;
    return;
  }
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::refuse)) {
    note_refusal(fmt::format("the source refuses: {}", field_text(body.reason)));
    return;
  }
  const auto hello = admission_.answer(message, frame, body, monotonic_ns());
  show_meta();
  if (!hello) return;
  const bool look = (body.flags & wire::kHelloLook) != 0;
  if (hello->refused && !hello->not_bound && !look)
    note_refusal(
        fmt::format("source {} refused: {}", field_text(body.source_name), admission_.refusal()));
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
  // A full queue loses the HELLO as the network might; the source repeats it.
  if (!lane_.queues().admitted.try_push(*hello))
    log::debug("hello_queue_full", "HELLO dropped: the lane is busy");
}

void ReplicaControl::record_exposures(const HelloMessage& message, const FrameView& frame) {
  const auto answer = admission_.record(message, frame);
  show_meta();
  // A full queue loses it as the network might; the source asks again.
  if (answer && !lane_.queues().answers.try_push(*answer))
    log::debug("answer_queue_full", "answer dropped: the lane is busy");
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

// A candidate that only fences, or seals, is not the source yet.
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
  return digest_file_tail(PosixBinlogFiles(side_.parts()->folder, file_.stream().basename), end,
                          length);
}

std::optional<HeldGroups> ReplicaControl::held_groups() {
  if (!lane_.stand_still()) return std::nullopt;
  const PosixBinlogFiles archive(side_.parts()->folder, file_.stream().basename);
  auto held = binlane::held_groups(archive, lane_.journal(), file_.meta().archived);
  lane_.go_on();
  return held;
}

std::string ReplicaControl::count_groups(Divergence& divergence) {
  const Position reached = divergence.reached;
  const std::uint32_t last = reached.offset > 0 ? reached.file : reached.file - 1;
  diverged_groups_.clear();
  return read_groups(
      {side_.parts()->folder, file_.stream().basename}, divergence.sealed_at, last,
      [&](const BinlogGroup& group) {
        ++divergence.groups;
        if (diverged_groups_.size() < kNamedGroups)
          diverged_groups_.push_back(fmt::format("GTID {} at {} to {}", to_string(group.gtid),
                                                 to_string(group.begin), to_string(group.end)));
        return true;
      });
}

void ReplicaControl::diverge(const Divergence& divergence) {
  side_.stop_feed();
  log::error("diverged", "{}", diverged_text(divergence));
  for (const std::string& group : diverged_groups_)
    log::error("diverged_group", "the source of term {} does not hold {}", divergence.term, group);
  if (divergence.groups > diverged_groups_.size())
    log::error("diverged_group", "and {} more", divergence.groups - diverged_groups_.size());
  const std::lock_guard lock(mutex_);
  view_.diverged_groups = diverged_groups_;
}

std::string ReplicaControl::adopt_stream(const StreamIdentity& stream, const LogMark& learner) {
  if (!lane_.stand_still()) return "the lane does not stand still";
  std::string problem = side_.adopt_stream(stream, learner);
  lane_.go_on();
  return problem;
}

std::string ReplicaControl::follow_stream(const StreamIdentity& stream, Position sealed_at,
                                          bool& done) {
  const Position archived = archive().durable;
  if (!lane_.stand_still()) return "the lane does not stand still";
  lane_.end_session();
  lane_.journal().release(lane_.journal().end_log());
  done = archived == sealed_at && lane_.journal().idle();
  std::string problem = done ? side_.switch_stream(stream, sealed_at) : std::string();
  lane_.go_on();
  if (!done || !problem.empty()) return problem;
  const std::lock_guard lock(mutex_);
  ++view_.streams_switched;
  return {};
}

std::string ReplicaControl::lend(const std::string& borrower, const Promise& promise) {
  const std::lock_guard lock(mutex_);
  if (std::find(borrowers_.begin(), borrowers_.end(), borrower) == borrowers_.end())
    return borrowers_.empty()
               ? "this host has no [source] section: it cannot lend its log"
               : fmt::format("{} is none of this host's replicas: its log is not lent to it",
                             borrower);
  loan_ = {borrower, promise, monotonic_ns()};
  return {};
}

void ReplicaControl::watch_repair() {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  strangers_.look(marks.unknown_peers, marks.unknown_peer, monotonic_ns());
  log::tell_suppressed();
  watch_source(marks);
  watch_files(marks);
  // Asked of the superblock only while something is to be repaired.
  if (lane_.queues().state.load() != 0 && admission_.watch_repair(marks)) show_meta();
}

// The lane must not log, and whoever stores exposures is pure; both show an errno that is final.
void ReplicaControl::watch_files(const ReplicaLaneMarks& marks) {
  if (marks.failure != 0 && !std::exchange(journal_failure_said_, true))
    log::error("journal_failed",
               "the journal cannot be written any more: {}. This replica acknowledges nothing "
               "durable until its disk is mended and binlaned is restarted",
               errno_text(marks.failure));
  const int error = side_.exposures().error();
  if (error != 0 && !std::exchange(exposure_failure_said_, true))
    log::error("exposures_failed",
               "the record of what the source released without a quorum cannot be stored: {}. "
               "This replica is told of no more of it",
               errno_text(error));
}

// The session of a source that is gone does not end by itself: it may come back and go on. But
// whoever looks is told, and an operator hears of it once.
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
    name = view_.source_name;
  }
  if (away && !before)
    log::warning("source_silent",
                 "nothing was heard of the source {} for {} ms: it, its binlaned or the network "
                 "has failed",
                 name, silent_ns / kNanosPerMilli);
  if (before && !away && marks.connected)
    log::info("source_heard", "the source {} is heard again", name);
}

void ReplicaControl::show_meta() {
  const JournalMeta meta = file_.meta();
  lane_.queues().state.store(admission_.state());
  admission_.own_exposures();
  const std::lock_guard lock(mutex_);
  view_.exposures = side_.exposures().state();
  view_.exposure_failures = side_.exposures().failures();
  const int error = side_.exposures().error();
  view_.exposure_failure =
      error == 0 ? std::string()
                 : fmt::format("the record of exposures cannot be stored: {}", errno_text(error));
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

#include "control/replica_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stream_digest.h"
#include "control/replica_side.h"
#include "shim/binlog_files.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kTurn{5};
// How much of the archive's end a handshake proves to be the source's.
constexpr std::uint64_t kBelowLength = 64 * 1024;

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

Uuid uuid_of(const std::uint8_t (&bytes)[16]) {
  Uuid uuid;
  std::copy(std::begin(bytes), std::end(bytes), uuid.bytes.begin());
  return uuid;
}

StreamIdentity stream_of(const wire::HelloBody& body) {
  return {uuid_of(body.origin), body.stream_term, std::string(field_text(body.basename))};
}

bool is_phase(const wire::HelloBody& body, wire::Phase phase) {
  return body.phase == static_cast<std::uint8_t>(phase);
}

std::uint16_t state_of(const JournalMeta& meta) {
  std::uint16_t state = 0;
  if (!meta.damaged_until.is_null()) state |= wire::kStateDamaged;
  if (!meta.learner_until.is_null()) state |= wire::kStateLearner;
  return state;
}

void add_rules(AdmittedHello& hello, const JournalMeta& meta) {
  std::string text;
  for (const std::string& rule : meta.rules) text += rule + '\n';
  hello.rules_cut_short = text.size() >= sizeof hello.rules;
  set_field(hello.rules, text);
}

}  // namespace

ReplicaControl::ReplicaControl(const Config& config, ReplicaSide& side)
    : config_(config),
      side_(side),
      file_(side.file()),
      lane_(side.lane()),
      cluster_id_(cluster_id_of(config.cluster)) {
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
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto* const call = call_;
    lock.unlock();
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

void ReplicaControl::work() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && lane_.queues().hello_in.try_pop(message); ++i)
    admit(message);
  watch_repair();
}

void ReplicaControl::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none)
    return;  // the lane has looked at it already
  if (frame.type() == wire::Type::exposed) return take_exposures(message, frame);
  const auto body = body_as<wire::HelloBody>(frame);
  if (body.cluster_id != cluster_id_ || field_text(body.replica_name) != config_.name) {
    const std::lock_guard lock(mutex_);
    ++view_.hellos_foreign;
    return;
  }
  if (is_phase(body, wire::Phase::refuse)) {
    note_refusal(fmt::format("the source refuses: {}", field_text(body.reason)));
    return;
  }
  AdmittedHello hello;
  hello.message = message;
  not_yet_ = false;
  watch_stream();
  const std::string refusal = judge(frame, body);
  watch_stream();
  if (not_yet_) return;
  const JournalMeta meta = file_.meta();
  // A journal between two streams is no blank one: what it tells of is older, and ended. Under its
  // own name, because it may have been a source then.
  const bool between = meta.never_held(stream_of(body));
  hello.origin = between ? meta.journal : meta.stream.origin;
  hello.stream_term = between ? meta.forgotten_term : meta.stream.term;
  hello.journal_id = meta.journal;
  hello.answer_id = random_u64();
  answers_[next_answer_++ % answers_.size()] = hello.answer_id;
  hello.promised = {meta.promise.term, 0};
  hello.promised_to = meta.promise.candidate;
  add_rules(hello, meta);
  if (refusal.empty()) {
    if (!meta.stream.is_null()) add_archive_digest(hello, meta.stream.basename);
  } else {
    hello.refused = true;
    set_field(hello.reason, refusal);
    note_refusal(fmt::format("source {} refused: {}", field_text(body.source_name), refusal));
  }
  show_meta();
  {
    const std::lock_guard lock(mutex_);
    ++view_.hellos;
    if (hello.refused) ++view_.hellos_refused;
    if (!hello.refused) view_.source_name = field_text(body.source_name);
    if (!hello.refused && is_phase(body, wire::Phase::start)) view_.refusal.clear();
  }
  // A full queue loses the HELLO as the network might; the source repeats it.
  if (!lane_.queues().admitted.try_push(hello))
    log::debug("hello_queue_full", "HELLO dropped: the lane is busy");
}

void ReplicaControl::note_refusal(const std::string& refusal) {
  const std::lock_guard lock(mutex_);
  if (refusal != view_.refusal) log::error("session_refused", "{}", refusal);
  view_.refusal = refusal;
}

// Why this source is not to be served; empty when it is. Makes durable what an answer promises.
std::string ReplicaControl::judge(const FrameView& frame, const wire::HelloBody& body) {
  if (body.version_min > wire::kVersion || body.version_max < wire::kVersion)
    return fmt::format("this replica speaks version {} of the protocol, the source {} to {}",
                       wire::kVersion, body.version_min, body.version_max);
  const StreamIdentity stream = stream_of(body);
  const Promise candidate{frame.epoch().term, uuid_of(body.candidate)};
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (stream.basename.find('/') != std::string::npos)
    return "the binlogs' base name contains a slash";
  if (candidate.candidate.is_null() || stream.term > candidate.term)
    return "the HELLO names no candidate for its term";
  {
    const std::lock_guard lock(mutex_);
    if (!refuse_all_.empty()) {
      if (candidate.term > deposed_by_) deposed_by_ = candidate.term;
      const bool newer = !successor_ || candidate.term >= successor_->candidate.term;
      // A candidate that only fences, or seals, is not the source yet.
      if (newer && stream.term == candidate.term && body.sealed_term != 0)
        successor_ = Successor{std::string(field_text(body.source_name)),
                               candidate,
                               stream,
                               uuid_of(body.sealed_origin),
                               body.sealed_term,
                               from_wire(body.sealed_at),
                               body.sealed_digest};
      return refuse_all_;
    }
  }
  const std::string mismatch = judge_stream(body, stream, candidate);
  if (!mismatch.empty()) return mismatch;
  const Promise promise = file_.promise();
  if (candidate.term < promise.term)
    return fmt::format("term {} is over: term {} was promised to another source", candidate.term,
                       promise.term);
  if (candidate.term == promise.term && candidate.candidate != promise.candidate)
    return fmt::format("term {} is promised to {}", promise.term, to_string(promise.candidate));
  const bool fence = is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloFence) != 0;
  if (is_phase(body, wire::Phase::start) && !is_of_now(body.answer_id)) {
    not_yet_ = true;  // no answer: the source asks anew
    return {};
  }
  // An ordinary ASK alone changes nothing; a candidate's binds, and so does a START.
  if (!fence && !is_phase(body, wire::Phase::start)) return {};
  if (const auto problem = file_.store_promise(candidate); problem) return *problem;
  if (fence) {
    log::warning("promised", "term {} is promised to {} ({}): no older one is served any more",
                 candidate.term, to_string(candidate.candidate), field_text(body.source_name));
    return {};
  }
  return bind(body, stream, frame.epoch());
}

// A START of another time, which the network kept, binds nothing: not to another process, and not
// behind a journal that has forgotten its stream.
bool ReplicaControl::is_of_now(std::uint64_t answer_id) const {
  return answer_id != 0 && std::find(answers_.begin(), answers_.end(), answer_id) != answers_.end();
}

void ReplicaControl::watch_stream() {
  const bool holds = !file_.stream().is_null();
  if (held_stream_ && !holds) answers_.fill(0);
  held_stream_ = holds;
}

// Whether the journal may hold this stream.
std::string ReplicaControl::judge_stream(const wire::HelloBody& body, const StreamIdentity& stream,
                                         const Promise& candidate) {
  const std::string mismatch = file_.stream_mismatch(stream);
  if (mismatch.empty()) return {};
  const StreamIdentity own = file_.stream();
  // A candidate of another term's stream only wants to know what is here.
  if ((body.flags & wire::kHelloFence) != 0 && own.term != stream.term) return {};
  const bool follows = own.origin == uuid_of(body.sealed_origin) && own.term == body.sealed_term;
  if (!follows) return mismatch;
  std::string diverged = judge_divergence(stream, from_wire(body.sealed_at), candidate);
  if (!diverged.empty()) return diverged;
  return follow(stream, from_wire(body.sealed_at), candidate);
}

// Goes over to the stream that follows ours, which was sealed (S2). Only with all of it, and only
// to the candidate that sealed it.
std::string ReplicaControl::follow(const StreamIdentity& stream, Position sealed_at,
                                   const Promise& candidate) {
  if (candidate.term < file_.promise().term) return {};  // refused for that
  const Position archived = side_.parts()->archiver->status().durable;
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  // Only a session of the sealing term has proven that these are the sealed bytes.
  if (marks.epoch.term != stream.term || marks.received != sealed_at || marks.durable != sealed_at)
    return fmt::format(
        "the stream {} was sealed at {}, but this journal holds it up to {}: what is missing "
        "cannot "
        "be had any more; re-seed the replica",
        to_string(file_.stream()), to_string(sealed_at), to_string(marks.received));
  if (const auto problem = file_.store_promise(candidate); problem) return *problem;
  if (!lane_.stand_still()) return "the lane does not stand still";
  lane_.end_session();
  // A source of the new stream is there, so the seal was covered: all of it is released, whether
  // the last mark that said so has arrived or not.
  lane_.journal().release(lane_.journal().end_log());
  not_yet_ = archived != sealed_at || !lane_.journal().idle();
  const std::string problem = not_yet_ ? std::string() : side_.switch_stream(stream, sealed_at);
  lane_.go_on();
  if (not_yet_ || !problem.empty()) return problem;
  log::info("stream_follows", "the stream before ended at {}; journal {} belongs to stream {} now",
            to_string(sealed_at), to_string(file_.meta().journal), to_string(stream));
  const std::lock_guard lock(mutex_);
  ++view_.streams_switched;
  return {};
}

// A START: what must be on record before the session.
std::string ReplicaControl::bind(const wire::HelloBody& body, const StreamIdentity& stream,
                                 Epoch epoch) {
  if (file_.stream().is_null()) {
    // What is there already may have been acknowledged by an earlier journal of this replica.
    LogMark learner{epoch, from_wire(body.written)};
    if (file_.meta().never_held(stream)) learner = {};
    if (!lane_.stand_still()) return "the lane does not stand still";
    const std::string problem = side_.adopt_stream(stream, learner);
    lane_.go_on();
    if (!problem.empty()) return problem;
    log::info(
        "stream_adopted", "journal {} belongs to stream {} now{}", to_string(file_.meta().journal),
        to_string(stream),
        learner.is_null() ? std::string() : ", and learns it up to " + to_string(learner.position));
  }
  const bool alone = (body.flags & wire::kHelloRuleAlone) != 0;
  if (const int error = file_.store_rule(std::string(field_text(body.rule)), alone); error != 0)
    return fmt::format("the quorum rule cannot be put on record: {}", errno_text(error));
  return {};
}

void ReplicaControl::add_archive_digest(AdmittedHello& hello, const std::string& basename) {
  const auto parts = side_.parts();
  const Position end = parts->archiver->status().durable;
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  const auto digest = digest_file_tail(PosixBinlogFiles(parts->folder, basename), end, length);
  if (!digest) {
    log::warning("archive_unreadable", "the archive cannot be read in front of {}", to_string(end));
    return;
  }
  hello.below_digest = *digest;
  hello.below_length = length;
  hello.below_end = end;
}

void ReplicaControl::watch_repair() {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  LogMark damaged_until;
  LogMark learner_until;
  {
    const std::lock_guard lock(mutex_);
    view_.marks = marks;
    damaged_until = view_.damaged_until;
    learner_until = view_.learner_until;
  }
  const bool repaired =
      !damaged_until.is_null() && damaged_until.is_reached_by(marks.epoch, marks.durable);
  const bool learned =
      !learner_until.is_null() && learner_until.is_reached_by(marks.epoch, marks.durable);
  if (!repaired && !learned) return;
  int error = 0;
  if (repaired) error = file_.clear_damage();
  if (learned && error == 0) error = file_.clear_learner();
  if (error != 0) {
    log::error("superblock_failed", "what the journal has caught up with cannot be recorded: {}",
               errno_text(error));
    return;
  }
  if (repaired)
    log::info("journal_repaired", "all that was damaged is durable again, up to {}",
              to_string(damaged_until.position));
  if (learned)
    log::info("journal_learned", "the journal has caught up with {}, and counts in proofs",
              to_string(learner_until.position));
  show_meta();
}

void ReplicaControl::show_meta() {
  const JournalMeta meta = file_.meta();
  lane_.queues().state.store(state_of(meta));
  own_exposures();
  const std::lock_guard lock(mutex_);
  view_.exposures = side_.exposures().state();
  view_.exposure_failures = side_.exposures().failures();
  view_.journal_id = meta.journal;
  view_.stream = meta.stream;
  view_.promise = meta.promise;
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

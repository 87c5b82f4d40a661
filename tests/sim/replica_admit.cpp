// ReplicaHost, the part that admits HELLOs: as ReplicaControl, function by function.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "archive_view.h"
#include "base/stream_digest.h"
#include "replica_host.h"
#include "shim/stream_scan.h"

namespace binlane::sim {
namespace {

// How much of the archive's end a handshake proves.
constexpr std::uint64_t kBelowLength = 64 * 1024;

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

void add_rules(AdmittedHello& hello, const JournalMeta& meta) {
  std::string text;
  for (const std::string& rule : meta.rules) text += rule + '\n';
  hello.rules_cut_short = text.size() >= sizeof hello.rules;
  set_field(hello.rules, text);
}

std::string diverged_text(const Divergence& divergence) {
  return fmt::format("DIVERGED: term {} sealed the stream at {}, {} groups behind that were fed",
                     divergence.term, to_string(divergence.sealed_at), divergence.groups);
}

}  // namespace

void ReplicaHost::control() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && queues_->hello_in.try_pop(message); ++i)
    admit(message);
  watch_repair();
}

void ReplicaHost::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none) return;
  if (frame.type() == wire::Type::exposed) return take_exposures(message, frame);
  const auto body = body_as<wire::HelloBody>(frame);
  if (body.cluster_id != cluster_id_of(kClusterName) || field_text(body.replica_name) != name_)
    return;
  if (is_phase(body, wire::Phase::refuse)) {
    refusal_ = field_text(body.reason);
    return;
  }
  AdmittedHello hello;
  hello.message = message;
  not_yet_ = false;
  watch_stream();
  const std::string refusal = judge(frame, body);
  watch_stream();
  show_state();
  if (not_yet_) return;
  const JournalMeta meta = store_->meta();
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
    if (is_phase(body, wire::Phase::start)) refusal_.clear();
  } else {
    hello.refused = true;
    set_field(hello.reason, refusal);
    refusal_ = refusal;
  }
  // A full queue loses it, as the network might.
  static_cast<void>(queues_->admitted.try_push(hello));
}

std::string ReplicaHost::judge(const FrameView& frame, const wire::HelloBody& body) {
  const StreamIdentity stream = stream_of(body);
  const Promise candidate{frame.epoch().term, uuid_of(body.candidate)};
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (candidate.candidate.is_null() || stream.term > candidate.term)
    return "the HELLO names no candidate for its term";
  if (!refuse_all_.empty()) return refuse_all_;
  const std::string mismatch = judge_stream(body, stream, candidate);
  if (!mismatch.empty()) return mismatch;
  const Promise promise = store_->promise();
  if (candidate.term < promise.term)
    return fmt::format("term {} is over: term {} was promised to another source", candidate.term,
                       promise.term);
  if (candidate.term == promise.term && candidate.candidate != promise.candidate)
    return fmt::format("term {} is promised to {}", promise.term, to_string(promise.candidate));
  const bool fence = is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloFence) != 0;
  if (is_phase(body, wire::Phase::start) && !is_of_now(body.answer_id)) {
    not_yet_ = true;
    return {};
  }
  if (!fence && !is_phase(body, wire::Phase::start)) return {};
  if (const auto problem = store_->store_promise(candidate); problem) return *problem;
  if (fence) {
    trace_.note("promised", local_.ipv4, candidate.term);
    return {};
  }
  return bind(body, stream, frame.epoch());
}

bool ReplicaHost::is_of_now(std::uint64_t answer_id) const {
  return answer_id != 0 && std::find(answers_.begin(), answers_.end(), answer_id) != answers_.end();
}

void ReplicaHost::watch_stream() {
  const bool holds = !store_->stream().is_null();
  if (held_stream_ && !holds) answers_.fill(0);
  held_stream_ = holds;
}

std::string ReplicaHost::judge_stream(const wire::HelloBody& body, const StreamIdentity& stream,
                                      const Promise& candidate) {
  const std::string mismatch = store_->stream_mismatch(stream);
  if (mismatch.empty()) return {};
  const StreamIdentity own = store_->stream();
  if ((body.flags & wire::kHelloFence) != 0 && own.term != stream.term) return {};
  const bool follows = own.origin == uuid_of(body.sealed_origin) && own.term == body.sealed_term;
  if (!follows) return mismatch;
  std::string diverged = judge_divergence(stream, from_wire(body.sealed_at), candidate);
  if (!diverged.empty()) return diverged;
  return follow(stream, from_wire(body.sealed_at), candidate);
}

std::string ReplicaHost::judge_divergence(const StreamIdentity& stream, Position sealed_at,
                                          const Promise& candidate) {
  own_exposures();
  if (const auto& known = exposures_->state().divergence) return diverged_text(*known);
  const Promise promise = store_->promise();
  if (candidate.term < promise.term ||
      (candidate.term == promise.term && candidate.candidate != promise.candidate))
    return {};
  const ArchiverStatus archive = archiver_->status();
  const Position reached =
      std::max({queues_->marks.load().released, store_->meta().released, archive.end});
  if (reached <= sealed_at) return {};
  if (archive.end < reached) return "the archive has not got everything yet that was released";
  Divergence found{stream.term, sealed_at, reached, 0};
  ArchiveView view(files_, folder(), store_->stream().basename);
  const auto groups = count_groups(view, sealed_at, reached);
  if (!groups) return "what was released behind the seal cannot be read";
  found.groups = *groups;
  if (!has_diverged(sealed_at, reached, found.groups)) return {};
  if (const auto refused = store_->store_promise(candidate); refused) return *refused;
  static_cast<void>(exposures_->set_divergence(found));  // holds until the next start at least
  trace_.note("diverged", local_.ipv4, found.groups);
  return diverged_text(found);
}

std::string ReplicaHost::follow(const StreamIdentity& stream, Position sealed_at,
                                const Promise& candidate) {
  if (candidate.term < store_->promise().term) return {};  // refused for that
  const Position archived = archiver_->status().durable;
  const ReplicaLaneMarks marks = queues_->marks.load();
  if (marks.epoch.term != stream.term || marks.received != sealed_at || marks.durable != sealed_at)
    return fmt::format("the stream was sealed at {}, but this journal holds it up to {}: re-seed",
                       to_string(sealed_at), to_string(marks.received));
  if (const auto problem = store_->store_promise(candidate); problem) return *problem;
  stand_still();
  AdmittedHello admitted;
  while (queues_->admitted.try_pop(admitted)) {
  }
  cycle_->end_session();
  journal_->release(journal_->end_log());
  not_yet_ = archived != sealed_at || !journal_->idle();
  const std::string problem = not_yet_ ? std::string() : switch_stream(stream, sealed_at);
  queues_->pause.resume();
  return problem;
}

std::string ReplicaHost::bind(const wire::HelloBody& body, const StreamIdentity& stream,
                              Epoch epoch) {
  if (store_->stream().is_null()) {
    LogMark learner{epoch, from_wire(body.written)};
    if (store_->meta().never_held(stream)) learner = {};
    if (store_->set_stream(stream, learner) != 0)
      return "the journal cannot be bound to the stream";
  }
  const bool alone = (body.flags & wire::kHelloRuleAlone) != 0;
  if (store_->store_rule(std::string(field_text(body.rule)), alone) != 0)
    return "the quorum rule cannot be put on record";
  return {};
}

void ReplicaHost::own_exposures() {
  const JournalMeta meta = store_->meta();
  exposures_->set_owner({meta.journal, meta.stream.origin, meta.stream.term});
}

void ReplicaHost::take_exposures(const HelloMessage& message, const FrameView& frame) {
  const auto list = decode_exposures(body_as<wire::ExposedBody>(frame));
  own_exposures();
  if (!list || !exposures_->take(*list)) return;
  wire::ExposedAckBody body;
  body.number = list->number;
  FrameTags tags;
  tags.type = wire::Type::exposed_ack;
  tags.epoch = frame.epoch();
  tags.session_id = frame.header.session_id;
  HelloMessage answer;
  answer.peer = message.peer;
  std::memcpy(answer.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  answer.length = seal(answer.bytes, tags, sizeof body);
  static_cast<void>(queues_->answers.try_push(answer));
}

void ReplicaHost::add_archive_digest(AdmittedHello& hello, const std::string& basename) {
  const Position end = archiver_->status().durable;
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  std::vector<std::byte> bytes(length);
  const std::string path = folder() + "/" + binlog_file_name(basename, end.file);
  if (files_.read(path, end.offset - length, bytes) != static_cast<std::int64_t>(length)) return;
  hello.below_digest = digest_bytes(0, end.offset - length, bytes);
  hello.below_length = length;
  hello.below_end = end;
}

void ReplicaHost::watch_repair() {
  const ReplicaLaneMarks marks = queues_->marks.load();
  const JournalMeta meta = store_->meta();
  const bool repaired =
      !meta.damaged_until.is_null() && meta.damaged_until.is_reached_by(marks.epoch, marks.durable);
  const bool learned =
      !meta.learner_until.is_null() && meta.learner_until.is_reached_by(marks.epoch, marks.durable);
  if (!repaired && !learned) return;
  int error = 0;
  if (repaired) error = store_->clear_damage();
  if (learned && error == 0) error = store_->clear_learner();
  if (error != 0) return;
  if (repaired) trace_.note("journal repaired", local_.ipv4);
  if (learned) trace_.note("journal learned", local_.ipv4);
  show_state();
}

void ReplicaHost::show_state() {
  const JournalMeta meta = store_->meta();
  std::uint16_t state = 0;
  if (!meta.damaged_until.is_null()) state |= wire::kStateDamaged;
  if (!meta.learner_until.is_null()) state |= wire::kStateLearner;
  queues_->state.store(state);
  own_exposures();
}

}  // namespace binlane::sim

#include "control/replica/replica_admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/wire_log.h"
#include "control/config/promotion_rule.h"
#include "control/replica/hello_form.h"

namespace binlane {
namespace {

// How many bytes before the archive's end a handshake compares with the source's.
constexpr std::uint64_t kBelowLength = 64 * 1024;

StreamIdentity stream_of(const wire::HelloBody& body) {
  return {uuid_of(body.origin), body.stream_term, std::string(field_text(body.basename))};
}

bool is_phase(const wire::HelloBody& body, wire::Phase phase) {
  return body.phase == static_cast<std::uint8_t>(phase);
}

// A look changes nothing. A candidate sends it before it fences.
bool is_look(const wire::HelloBody& body) {
  return is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloLook) != 0;
}

void add_rules(AdmittedHello& hello, const JournalMeta& meta) {
  std::string text;
  for (const std::string& rule : meta.rules) text += rule + '\n';
  hello.rules_cut_short = text.size() >= sizeof hello.rules;
  set_field(hello.rules, text);
}

}  // namespace

std::string diverged_text(const Divergence& divergence) {
  return fmt::format(
      "DIVERGED: term {} sealed the stream at {}, and {} event groups after that, up to {}, were "
      "released here. Rebuild the server, then the journal (binlane rejoin --rebuilt)",
      divergence.term, to_string(divergence.sealed_at), divergence.groups,
      to_string(divergence.reached));
}

ReplicaAdmission::ReplicaAdmission(std::string name, std::uint64_t cluster_id, JournalStore& store,
                                   ExposureRecord& exposures, AdmissionHost& host)
    : name_(std::move(name)),
      cluster_id_(cluster_id),
      store_(store),
      exposures_(exposures),
      host_(host) {}

bool ReplicaAdmission::concerns(const wire::HelloBody& body) const {
  return body.cluster_id == cluster_id_ && field_text(body.replica_name) == name_;
}

std::optional<AdmittedHello> ReplicaAdmission::answer(const HelloMessage& message,
                                                      const FrameView& frame,
                                                      const wire::HelloBody& body,
                                                      std::uint64_t now_ns) {
  AdmittedHello hello;
  hello.message = message;
  now_ns_ = now_ns;
  not_yet_ = not_bound_ = false;
  told_.clear();
  watch_stream();
  bound_ = is_of_now(body.answer_id);
  refusal_ = judge(frame, body);
  watch_stream();
  if (not_yet_) return std::nullopt;
  const JournalMeta meta = store_.meta();
  // A refusal contains these as well: the promised term tells an old source that its own term is
  // over, and the next HELLO has to name the answer.
  hello.promised = {meta.promise.term, 0};
  hello.answer_id = random_u64();
  answers_[next_answer_++ % answers_.size()] = hello.answer_id;
  hello.bound = bound_;
  hello.not_bound = not_bound_;
  if (not_bound_) ++not_bound_count_;
  if (is_look(body)) {
    const std::string source = host_.source_alive();
    hello.source_alive = !source.empty();
    set_field(hello.reason, source);
  }
  if (!refusal_.empty()) {
    hello.refused = true;
    set_field(hello.reason, told_.empty() ? refusal_ : told_);
    return hello;
  }
  // A journal between two streams is not blank: it holds an older stream, which has ended. It
  // answers under its own UUID, because this host may have been the source then.
  const bool between = meta.never_held(stream_of(body));
  hello.origin = between ? meta.journal : meta.stream.origin;
  hello.stream_term = between ? meta.forgotten_term : meta.stream.term;
  hello.journal_id = meta.journal;
  hello.promised_to = meta.promise.candidate;
  add_rules(hello, meta);
  if (is_phase(body, wire::Phase::start)) {
    hello.acks_alone = acks_alone(meta.rules);
    if (body.cut_to != wire::kNoCut) add_held_groups(hello);
  }
  if (!meta.stream.is_null() && !is_look(body)) add_archive_digest(hello);
  return hello;
}

// Why this source must not be served; empty if it may be.
std::string ReplicaAdmission::judge(const FrameView& frame, const wire::HelloBody& body) {
  const StreamIdentity stream = stream_of(body);
  const Promise candidate{frame.epoch().term, uuid_of(body.candidate)};
  if (std::string reason = judge_form(body, stream, candidate, store_.promise().term);
      !reason.empty())
    return reason;
  if (std::string reason = host_.refuse_all(); !reason.empty()) {
    const bool news = !is_look(body) && host_.is_news(body, candidate);
    if (news && bound_) host_.hear(body, candidate);
    if (news && !bound_) static_cast<void>(ask_for_proof());
    return reason;
  }
  const std::string mismatch = judge_stream(body, stream, candidate);
  if (!mismatch.empty() || not_yet_) return mismatch;
  const Promise promised = store_.promise();
  if (candidate.term < promised.term)
    return fmt::format("term {} is over: this replica promised term {} to another source",
                       candidate.term, promised.term);
  if (candidate.term == promised.term && candidate.candidate != promised.candidate) {
    told_ = fmt::format("term {} is promised to another source", promised.term);
    return fmt::format("term {} is promised to {}", promised.term, to_string(promised.candidate));
  }
  if (is_look(body)) return {};
  const bool fence = is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloFence) != 0;
  if (is_phase(body, wire::Phase::start) && !bound_) {
    not_yet_ = true;  // no answer: the source sends a new ASK
    return {};
  }
  if (is_phase(body, wire::Phase::lend)) {
    if (candidate != promised || stream != store_.stream())
      return fmt::format("term {} is not promised to you for this stream", candidate.term);
    return host_.lend(std::string(field_text(body.source_name)), promised).text();
  }
  // An ordinary ASK changes nothing. A candidate's FENCE and a START do.
  if (!fence && !is_phase(body, wire::Phase::start)) return {};
  if (BL_MUTANT(fence_unproven, false, fence && !bound_)) return ask_for_proof();
  if (const auto problem = give_promise(candidate); problem) return *problem;
  if (fence) return {};
  return bind(body, stream, frame.epoch());
}

// The refusal contains an answer_id, and the sender repeats the HELLO with it.
std::string ReplicaAdmission::ask_for_proof() {
  not_bound_ = true;
  return std::string(kNotBoundReason);
}

// Returns nothing if the promise is on record (or was already), otherwise the reason. The reason is
// empty and not_yet_ is set if the promise has to wait.
std::optional<std::string> ReplicaAdmission::give_promise(const Promise& candidate) {
  BL_ASSERT(candidate.term >= store_.promise().term);  // promises never go back [S1]
  if (store_.promise() == candidate) return std::nullopt;
  if (!budget_.take(now_ns_)) {
    ++promises_put_off_;
    not_yet_ = true;
    return std::string();
  }
  if (auto problem = store_.store_promise(candidate); problem) return problem;
  log::warning(
      "promised",
      "term {} is promised to {}. This replica serves no source of an earlier term any more",
      candidate.term, to_string(candidate.candidate));
  return std::nullopt;
}

// Whether this replica alone completes a quorum under some rule on record.
bool ReplicaAdmission::acks_alone(const std::vector<std::string>& rules) const {
  for (const PromotionRule& rule : promotion_rules(rules)) {
    for (std::size_t i = 0; i < rule.members.size() && i < kMaxReplicas; ++i) {
      if (rule.members[i] == name_ && rule.rule.satisfied_by(ReplicaSet{1} << i)) return true;
    }
  }
  return false;
}

// Whether this process gave that answer since the journal last gave up its stream. A START that the
// network has delayed for longer begins no session.
bool ReplicaAdmission::is_of_now(std::uint64_t answer_id) const {
  return answer_id != 0 && std::find(answers_.begin(), answers_.end(), answer_id) != answers_.end();
}

void ReplicaAdmission::watch_stream() {
  const bool holds = !store_.stream().is_null();
  if (held_stream_ && !holds) answers_.fill(0);
  held_stream_ = holds;
}

// Whether the journal may hold this stream.
std::string ReplicaAdmission::judge_stream(const wire::HelloBody& body,
                                           const StreamIdentity& stream, const Promise& candidate) {
  const std::string mismatch = store_.stream_mismatch(stream);
  if (mismatch.empty()) return {};
  const StreamIdentity own = store_.stream();
  // A candidate that fences or looks only wants to know what this replica holds, though its own
  // stream is another one.
  const bool candidate_asks = (body.flags & (wire::kHelloFence | wire::kHelloLook)) != 0;
  if (candidate_asks && own.term != stream.term) return {};
  const bool follows = own.origin == uuid_of(body.sealed_origin) && own.term == body.sealed_term;
  if (!follows || is_look(body)) {
    told_ =
        "this replica holds the stream of another source, which its own status names; re-seed it";
    return mismatch;
  }
  // Both a divergence and a switch to another stream are final.
  if (BL_MUTANT(seal_unproven, false, !bound_)) return ask_for_proof();
  std::string diverged = judge_divergence(stream, from_wire(body.sealed_at), candidate);
  if (!diverged.empty() || not_yet_) return diverged;
  return follow(stream, from_wire(body.sealed_at), candidate);
}

// For a HELLO of a later term's source, whose stream follows ours after `sealed_at`: the refusal if
// this replica's server was fed more than that, otherwise nothing.
std::string ReplicaAdmission::judge_divergence(const StreamIdentity& stream, Position sealed_at,
                                               const Promise& candidate) {
  own_exposures();
  if (const auto& known = exposures_.state().divergence) return diverged_text(*known);
  const Promise promise = store_.promise();
  // A sender whose term is over decides nothing here.
  if (candidate.term < promise.term ||
      (candidate.term == promise.term && candidate.candidate != promise.candidate))
    return {};
  const ArchiverStatus archive = host_.archive();
  const Position reached = std::max({host_.marks().released, store_.meta().released, archive.end});
  if (reached <= sealed_at) return {};
  if (archive.end < reached)
    return fmt::format("the archive does not yet hold everything that was released, up to {}",
                       to_string(reached));
  Divergence found{stream.term, sealed_at, reached, 0};
  if (const Status counted = host_.count_groups(found); !counted.is_ok())
    return fmt::format(
        "cannot read what was released after {}: {}. If this cannot be repaired, re-seed the "
        "replica",
        to_string(sealed_at), counted.text());
  if (!has_diverged(sealed_at, reached, found.groups)) return {};
  if (const auto refused = give_promise(candidate); refused) return *refused;
  host_.diverge(found);
  if (const int error = exposures_.set_divergence(found); error != 0)
    log::limited(log::Level::error, "divergence_not_recorded", {},
                 "cannot record that this replica is DIVERGED: {}", errno_text(error));
  return diverged_text(found);
}

// Switches to the stream that follows our sealed one. This replica must hold all of ours, and must
// have promised itself to the candidate that sealed it. [S2]
std::string ReplicaAdmission::follow(const StreamIdentity& stream, Position sealed_at,
                                     const Promise& candidate) {
  if (candidate.term < store_.promise().term) return {};  // judge() refuses it for its term
  const ReplicaLaneMarks marks = host_.marks();
  // Only in a session of the sealing term is this log known to equal the sealed one.
  if (marks.epoch.term != stream.term || marks.received != sealed_at || marks.durable != sealed_at)
    return fmt::format(
        "stream {} was sealed at {}, but this journal ends at {} and cannot get the rest any more; "
        "re-seed the replica",
        to_string(store_.stream()), to_string(sealed_at), to_string(marks.received));
  if (const auto problem = give_promise(candidate); problem) return *problem;
  const Status followed = host_.follow_stream(stream, sealed_at);
  not_yet_ = followed.is_pending();
  if (!followed.is_ok()) return followed.text();
  BL_ASSERT(store_.stream() == stream);
  log::info("stream_follows",
            "the previous stream ended at {}; journal {} now belongs to stream {}",
            to_string(sealed_at), to_string(store_.meta().journal), to_string(stream));
  return {};
}

// For a START: records what has to be on record before a session begins.
std::string ReplicaAdmission::bind(const wire::HelloBody& body, const StreamIdentity& stream,
                                   Epoch epoch) {
  BL_ASSERT(store_.promise().term == epoch.term);  // no source begins unpromised [S1]
  if (store_.stream().is_null()) {
    // An earlier journal of this replica may have acknowledged bytes that exist already, so this
    // one is a learner until it holds them.
    LogMark learner{epoch, from_wire(body.written)};
    if (store_.meta().never_held(stream)) learner = {};
    if (const Status adopted = host_.adopt_stream(stream, learner); !adopted.is_ok())
      return adopted.text();
    BL_ASSERT(store_.stream() == stream);
    log::info("stream_adopted", "journal {} now belongs to stream {}{}",
              to_string(store_.meta().journal), to_string(stream),
              learner.is_null()
                  ? std::string()
                  : fmt::format("; it is a learner until it holds everything up to {}",
                                to_string(learner.position)));
  }
  const bool alone = (body.flags & wire::kHelloRuleAlone) != 0;
  if (const int error = store_.store_rule(std::string(field_text(body.rule)), alone); error != 0)
    return fmt::format("cannot record the quorum rule: {}", errno_text(error));
  return {};
}

void ReplicaAdmission::add_held_groups(AdmittedHello& hello) {
  const std::optional<HeldGroups> held = host_.held_groups();
  if (!held) return;
  BL_ASSERT(held->whole_log <= held->end_log);
  hello.whole_groups_log = held->whole_log;
  hello.looked_to_log = held->end_log;
}

void ReplicaAdmission::add_archive_digest(AdmittedHello& hello) {
  const Position end = host_.archive().durable;
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  const auto digest = host_.digest_archive(end, length);
  if (!digest) {
    log::limited(
        log::Level::warning, "archive_unreadable", {},
        "cannot read the archive's bytes before {}, so this handshake does not compare them",
        to_string(end));
    return;
  }
  hello.below_digest = *digest;
  hello.below_length = length;
  hello.below_end = end;
}

std::optional<HelloMessage> ReplicaAdmission::record(const HelloMessage& message,
                                                     const FrameView& frame) {
  const auto list = decode_exposures(body_as<wire::ExposedBody>(frame));
  own_exposures();
  if (!list || !exposures_.take(*list)) {
    log::limited(
        log::Level::error, "exposures_not_recorded", {},
        "cannot record what the source released without a quorum. Until this succeeds, the source "
        "announces no such bytes to this replica");
    return std::nullopt;
  }
  wire::ExposedAckBody body;
  body.number = list->number;
  FrameTags tags;
  tags.type = wire::Type::exposed_ack;
  tags.epoch = frame.epoch();
  tags.session_id = frame.header.session_id;
  tags.packet_number = frame.header.packet_number;
  HelloMessage answer;
  answer.port = message.port;
  answer.peer = message.peer;
  std::memcpy(answer.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  answer.length = finish_frame(answer.bytes, tags, sizeof body);
  return answer;
}

bool ReplicaAdmission::watch_repair(const ReplicaLaneMarks& marks) {
  const JournalMeta meta = store_.meta();
  const auto reached = [&](const LogMark& mark) {
    return !mark.is_null() && mark.is_reached_by(marks.epoch, marks.durable);
  };
  const bool repaired = reached(meta.damaged_until);
  const bool learned = reached(meta.learner_until);
  if (!repaired && !learned) return false;
  int error = 0;
  if (repaired) error = store_.clear_damage();
  if (learned && error == 0) error = store_.clear_learner();
  if (error != 0) {
    log::error("superblock_failed",
               "cannot record that the journal has caught up with what it lacked: {}",
               errno_text(error));
    return false;
  }
  if (repaired)
    log::info("journal_repaired", "everything that was damaged, up to {}, is durable again",
              to_string(meta.damaged_until.position));
  if (learned)
    log::info(
        "journal_learned",
        "the journal holds everything up to {}: it is no learner any more, and counts in proofs",
        to_string(meta.learner_until.position));
  return true;
}

void ReplicaAdmission::own_exposures() {
  const JournalMeta meta = store_.meta();
  exposures_.set_owner({meta.journal, meta.stream.origin, meta.stream.term});
}

std::uint16_t ReplicaAdmission::state() const {
  const JournalMeta meta = store_.meta();
  std::uint16_t state = 0;
  if (!meta.damaged_until.is_null()) state |= wire::kStateDamaged;
  if (!meta.learner_until.is_null()) state |= wire::kStateLearner;
  return state;
}

}  // namespace binlane

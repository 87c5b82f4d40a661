#include "control/replica_admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wire_log.h"
#include "control/promotion_rule.h"

namespace binlane {
namespace {

// How much of the archive's end a handshake proves to be the source's.
constexpr std::uint64_t kBelowLength = 64 * 1024;
// Sums of an offset beyond it and a length could wrap around.
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62;

StreamIdentity stream_of(const wire::HelloBody& body) {
  return {uuid_of(body.origin), body.stream_term, std::string(field_text(body.basename))};
}

bool is_phase(const wire::HelloBody& body, wire::Phase phase) {
  return body.phase == static_cast<std::uint8_t>(phase);
}

// A candidate looks before it fences.
bool is_look(const wire::HelloBody& body) {
  return is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloLook) != 0;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
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
      "DIVERGED: term {} sealed the stream at {}, and {} event groups behind that were released "
      "here without a quorum, up to {}; rebuild this replica's server from a copy of another, and "
      "then its journal (binlane rejoin --rebuilt)",
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
  // What a refusal tells as well: that this source is over, and what the next HELLO has to name.
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
  // A journal between two streams is no blank one: what it tells of is older, and ended. Under its
  // own name, because it may have been a source then.
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

// What no source of ours would send, whatever is on record here. What is accepted here may be
// stored, and what is stored must be readable at the next start.
std::string ReplicaAdmission::judge_form(const wire::HelloBody& body, const StreamIdentity& stream,
                                         const Promise& candidate) const {
  if (body.version_min > wire::kVersion || body.version_max < wire::kVersion)
    return fmt::format("this replica speaks version {} of the protocol, the source {} to {}",
                       wire::kVersion, body.version_min, body.version_max);
  if (!is_ended(body.source_name) || !is_ended(body.replica_name) || !is_ended(body.basename) ||
      !is_ended(body.rule) || !is_ended(body.reason))
    return "a text of the HELLO has no end";
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (stream.basename.find('/') != std::string::npos)
    return "the binlogs' base name contains a slash";
  if (has_control_characters(stream.basename))
    return "the binlogs' base name contains control characters";
  if (has_control_characters(field_text(body.rule)))
    return "the quorum rule contains control characters";
  if (candidate.candidate.is_null() || stream.term > candidate.term)
    return "the HELLO names no candidate for its term";
  if (stream.term == 0) return "the HELLO names a stream without a term";
  for (const wire::WirePosition& at : {body.first, body.written, body.start_at, body.sealed_at}) {
    if (from_wire(at).offset > kMaxOffset) return "the HELLO names a position beyond any file";
  }
  const Promise promise = store_.promise();
  if (candidate.term > promise.term && candidate.term - promise.term > kMaxTermStep)
    return fmt::format(
        "term {} is {} terms after term {}, which is promised here: no more than {} are followed. "
        "If it is the cluster's term, run binlane term reset on this host",
        candidate.term, candidate.term - promise.term, promise.term, kMaxTermStep);
  return {};
}

// Why this source is not to be served; empty when it is.
std::string ReplicaAdmission::judge(const FrameView& frame, const wire::HelloBody& body) {
  const StreamIdentity stream = stream_of(body);
  const Promise candidate{frame.epoch().term, uuid_of(body.candidate)};
  if (std::string reason = judge_form(body, stream, candidate); !reason.empty()) return reason;
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
    return fmt::format("term {} is over: term {} was promised to another source", candidate.term,
                       promised.term);
  if (candidate.term == promised.term && candidate.candidate != promised.candidate) {
    told_ = fmt::format("term {} is promised to another source", promised.term);
    return fmt::format("term {} is promised to {}", promised.term, to_string(promised.candidate));
  }
  if (is_look(body)) return {};
  const bool fence = is_phase(body, wire::Phase::ask) && (body.flags & wire::kHelloFence) != 0;
  if (is_phase(body, wire::Phase::start) && !bound_) {
    not_yet_ = true;  // no answer: the source asks anew
    return {};
  }
  if (is_phase(body, wire::Phase::lend)) {
    if (candidate != promised || stream != store_.stream())
      return fmt::format("term {} is not promised to you with this stream", candidate.term);
    return host_.lend(std::string(field_text(body.source_name)), promised);
  }
  // An ordinary ASK alone changes nothing; a candidate's binds, and so does a START.
  if (!fence && !is_phase(body, wire::Phase::start)) return {};
  if (fence && !bound_ && !canary(Canary::fence_unproven)) return ask_for_proof();
  if (const auto problem = give_promise(candidate); problem) return *problem;
  if (fence) return {};
  return bind(body, stream, frame.epoch());
}

// The sender repeats it with the answer that the refusal brings.
std::string ReplicaAdmission::ask_for_proof() {
  not_bound_ = true;
  return std::string(kNotBoundReason);
}

// Empty when it is given and stored, or was before, or when it has to wait (not_yet_).
std::optional<std::string> ReplicaAdmission::give_promise(const Promise& candidate) {
  if (store_.promise() == candidate) return std::nullopt;
  if (!budget_.take(now_ns_)) {
    ++promises_put_off_;
    not_yet_ = true;
    return std::string();
  }
  if (auto problem = store_.store_promise(candidate); problem) return problem;
  log::warning("promised", "term {} is promised to {}: no older one is served any more",
               candidate.term, to_string(candidate.candidate));
  return std::nullopt;
}

// Whether this replica completes a quorum by itself, under any rule on record.
bool ReplicaAdmission::acks_alone(const std::vector<std::string>& rules) const {
  for (const PromotionRule& rule : promotion_rules(rules)) {
    for (std::size_t i = 0; i < rule.members.size() && i < kMaxReplicas; ++i) {
      if (rule.members[i] == name_ && rule.rule.satisfied_by(ReplicaSet{1} << i)) return true;
    }
  }
  return false;
}

// A START of another time, which the network kept, binds nothing: not to another process, and not
// behind a journal that has forgotten its stream.
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
  // A candidate of another term's stream only wants to know what is here.
  const bool candidate_asks = (body.flags & (wire::kHelloFence | wire::kHelloLook)) != 0;
  if (candidate_asks && own.term != stream.term) return {};
  const bool follows = own.origin == uuid_of(body.sealed_origin) && own.term == body.sealed_term;
  if (!follows || is_look(body)) {
    told_ =
        "this replica holds the stream of another source, which its own status names; re-seed it";
    return mismatch;
  }
  // A divergence and another stream are on record for good.
  if (!bound_ && !canary(Canary::seal_unproven)) return ask_for_proof();
  std::string diverged = judge_divergence(stream, from_wire(body.sealed_at), candidate);
  if (!diverged.empty() || not_yet_) return diverged;
  return follow(stream, from_wire(body.sealed_at), candidate);
}

// A source of a later term speaks, whose stream follows ours behind `sealed_at`. Empty unless this
// replica's server was fed more than that.
std::string ReplicaAdmission::judge_divergence(const StreamIdentity& stream, Position sealed_at,
                                               const Promise& candidate) {
  own_exposures();
  if (const auto& known = exposures_.state().divergence) return diverged_text(*known);
  const Promise promise = store_.promise();
  // Somebody whose term is over says nothing about what counts.
  if (candidate.term < promise.term ||
      (candidate.term == promise.term && candidate.candidate != promise.candidate))
    return {};
  const ArchiverStatus archive = host_.archive();
  const Position reached = std::max({host_.marks().released, store_.meta().released, archive.end});
  if (reached <= sealed_at) return {};
  if (archive.end < reached)
    return fmt::format("the archive has not got everything yet that was released, up to {}",
                       to_string(reached));
  Divergence found{stream.term, sealed_at, reached, 0};
  if (const std::string problem = host_.count_groups(found); !problem.empty())
    return fmt::format(
        "what was released behind {} cannot be read: {}; if that cannot be mended, re-seed the "
        "replica",
        to_string(sealed_at), problem);
  if (!has_diverged(sealed_at, reached, found.groups)) return {};
  if (const auto refused = give_promise(candidate); refused) return *refused;
  host_.diverge(found);
  if (const int error = exposures_.set_divergence(found); error != 0)
    log::limited(log::Level::error, "divergence_not_recorded", {},
                 "that this replica is DIVERGED cannot be stored: {}", errno_text(error));
  return diverged_text(found);
}

// Goes over to the stream that follows ours, which was sealed (S2). Only with all of it, and only
// to the candidate that sealed it.
std::string ReplicaAdmission::follow(const StreamIdentity& stream, Position sealed_at,
                                     const Promise& candidate) {
  if (candidate.term < store_.promise().term) return {};  // refused for that
  const ReplicaLaneMarks marks = host_.marks();
  // Only a session of the sealing term has proven that these are the sealed bytes.
  if (marks.epoch.term != stream.term || marks.received != sealed_at || marks.durable != sealed_at)
    return fmt::format(
        "the stream {} was sealed at {}, but this journal holds it up to {}: what is missing "
        "cannot be had any more; re-seed the replica",
        to_string(store_.stream()), to_string(sealed_at), to_string(marks.received));
  if (const auto problem = give_promise(candidate); problem) return *problem;
  bool done = false;
  std::string problem = host_.follow_stream(stream, sealed_at, done);
  not_yet_ = problem.empty() && !done;
  if (not_yet_ || !problem.empty()) return problem;
  log::info("stream_follows", "the stream before ended at {}; journal {} belongs to stream {} now",
            to_string(sealed_at), to_string(store_.meta().journal), to_string(stream));
  return {};
}

// A START: what must be on record before the session.
std::string ReplicaAdmission::bind(const wire::HelloBody& body, const StreamIdentity& stream,
                                   Epoch epoch) {
  if (store_.stream().is_null()) {
    // What is there already may have been acknowledged by an earlier journal of this replica.
    LogMark learner{epoch, from_wire(body.written)};
    if (store_.meta().never_held(stream)) learner = {};
    if (std::string problem = host_.adopt_stream(stream, learner); !problem.empty()) return problem;
    log::info(
        "stream_adopted", "journal {} belongs to stream {} now{}", to_string(store_.meta().journal),
        to_string(stream),
        learner.is_null() ? std::string() : ", and learns it up to " + to_string(learner.position));
  }
  const bool alone = (body.flags & wire::kHelloRuleAlone) != 0;
  if (const int error = store_.store_rule(std::string(field_text(body.rule)), alone); error != 0)
    return fmt::format("the quorum rule cannot be put on record: {}", errno_text(error));
  return {};
}

void ReplicaAdmission::add_held_groups(AdmittedHello& hello) {
  const std::optional<HeldGroups> held = host_.held_groups();
  if (!held) return;
  hello.whole_groups_log = held->whole_log;
  hello.looked_to_log = held->end_log;
}

void ReplicaAdmission::add_archive_digest(AdmittedHello& hello) {
  const Position end = host_.archive().durable;
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  const auto digest = host_.digest_archive(end, length);
  if (!digest) {
    log::limited(log::Level::warning, "archive_unreadable", {},
                 "the archive cannot be read in front of {}", to_string(end));
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
        "what the source released without a quorum cannot be put on record: this replica is "
        "told of nothing more that no quorum has");
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
  answer.length = seal(answer.bytes, tags, sizeof body);
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
    log::error("superblock_failed", "what the journal has caught up with cannot be recorded: {}",
               errno_text(error));
    return false;
  }
  if (repaired)
    log::info("journal_repaired", "all that was damaged is durable again, up to {}",
              to_string(meta.damaged_until.position));
  if (learned)
    log::info("journal_learned", "the journal has caught up with {}, and counts in proofs",
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

#include "dataplane/session/source_handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

SourceHandshake::SourceHandshake(Identity identity, const SourceLogView& proof, Position safe,
                                 std::vector<SafeMark> earlier)
    : identity_(std::move(identity)), proof_(proof), safe_(safe), earlier_(std::move(earlier)) {}

Position SourceHandshake::safe_for(Epoch log_epoch) const noexcept {
  for (const SafeMark& mark : earlier_) {
    if (mark.epoch > log_epoch) return std::min(mark.safe, safe_);
  }
  return safe_;
}

void SourceHandshake::begin_attempt(std::uint64_t now_ns) {
  phase_ = identity_.borrow ? wire::Phase::lend : wire::Phase::ask;
  handshake_id_ = random_u64();
  session_id_ = random_u64();
  answer_id_ = 0;
  attempt_ns_ = now_ns;
  rounds_ = 0;
  cut_to_ = wire::kNoCut;
  compare_from_ = compare_to_ = 0;
  refused_by_us_ = false;
}

bool SourceHandshake::poll(std::uint64_t now_ns, HelloMessage& message) {
  if (session_ || inspection_ || now_ns < next_send_ns_) return false;
  if (handshake_id_ == 0 || refused_by_us_ || now_ns - attempt_ns_ > kHelloAttemptNs)
    begin_attempt(now_ns);
  next_send_ns_ = now_ns + kHelloRepeatNs;

  wire::HelloBody body;
  body.phase = static_cast<std::uint8_t>(phase_);
  body.handshake_id = handshake_id_;
  body.cluster_id = identity_.cluster_id;
  const bool fence = identity_.inspect && !identity_.look;
  body.flags = (identity_.look ? wire::kHelloLook : 0U) | (fence ? wire::kHelloFence : 0U) |
               (identity_.rule_alone ? wire::kHelloRuleAlone : 0U);
  std::copy(identity_.origin.bytes.begin(), identity_.origin.bytes.end(), body.origin);
  std::copy(identity_.candidate.bytes.begin(), identity_.candidate.bytes.end(), body.candidate);
  body.stream_term = identity_.stream_term;
  std::copy(identity_.sealed_origin.bytes.begin(), identity_.sealed_origin.bytes.end(),
            body.sealed_origin);
  body.sealed_term = identity_.sealed_term;
  body.sealed_at = to_wire(identity_.sealed_at);
  body.sealed_digest = identity_.sealed_digest;
  set_field(body.rule, identity_.rule);
  set_field(body.source_name, identity_.source_name);
  set_field(body.replica_name, identity_.replica_name);
  set_field(body.basename, identity_.basename);
  body.first = to_wire(proof_.first());
  body.written = to_wire(proof_.position_of(proof_.written()));
  body.rule_number = identity_.rule_number;
  body.answer_id = phase_ == wire::Phase::start ? answer_id_ : heard_id_;
  body.compare_from = compare_from_;
  body.compare_to = compare_to_;
  body.start_at = to_wire(start_at_);
  body.cut_to = cut_to_;
  set_field(body.reason, refusal_);

  FrameTags tags;
  tags.type = wire::Type::hello;
  tags.epoch = identity_.epoch;
  tags.session_id = phase_ == wire::Phase::start ? session_id_ : 0;
  build_hello(message, tags, body);
  // A refusal is logged once; the next attempt begins after a while.
  if (phase_ == wire::Phase::refuse) {
    refused_by_us_ = true;
    next_send_ns_ = now_ns + kRefusedRepeatNs;
  }
  return true;
}

bool SourceHandshake::expects(const FrameView& frame) const {
  if (session_ || inspection_ || handshake_id_ == 0) return false;
  if (frame.type() != wire::Type::hello_ack || frame.epoch() != identity_.epoch) return false;
  const auto reply = body_as<wire::HelloAckBody>(frame);
  return reply.handshake_id == handshake_id_ && reply.cluster_id == identity_.cluster_id &&
         reply.phase == static_cast<std::uint8_t>(phase_) &&
         field_text(reply.replica_name) == identity_.replica_name;
}

bool SourceHandshake::on_reply(const FrameView& frame, const Endpoint& peer, std::uint64_t now_ns) {
  if (!expects(frame)) return false;
  const auto reply = body_as<wire::HelloAckBody>(frame);
  const bool not_bound = (reply.flags & wire::kAckNotBound) != 0;
  // A sender without proof is not told whose promise that is: the promise of this term may be our
  // own, given to an earlier HELLO.
  if (!not_bound || from_wire(reply.promised).term != identity_.epoch.term) note_promise(reply);
  if (reply.answer_id != 0) heard_id_ = reply.answer_id;
  if (identity_.look) {
    looked(reply, now_ns);
    return true;
  }
  if (not_bound) {
    // Repeated with that answer, at once; a replica that repeats this refusal is asked at the usual
    // pace.
    if (now_ns - bound_ns_ < kHelloRepeatNs) return true;
    bound_ns_ = next_send_ns_ = now_ns;
    return true;
  }
  if (reply.status == static_cast<std::uint8_t>(wire::HelloStatus::refused)) {
    refusal_ = fmt::format("replica refuses: {}", field_text(reply.reason));
    handshake_id_ = 0;
    next_send_ns_ = now_ns + kRefusedRepeatNs;
    return true;
  }
  switch (phase_) {
    case wire::Phase::ask:
      take_answer(reply, now_ns);
      break;
    case wire::Phase::compare:
      if (reply.digest_from == compare_from_ && reply.digest_to == compare_to_)
        compare(reply, now_ns);
      break;
    case wire::Phase::start:
      if (reply.status != static_cast<std::uint8_t>(wire::HelloStatus::started) ||
          frame.header.session_id != session_id_)
        return true;  // it still waits for its writes to end
      // It took nothing since it told its length, so it holds exactly what was proven to match.
      if (reply.log_length != (cut_to_ == wire::kNoCut ? log_length_ : cut_to_)) {
        handshake_id_ = 0;  // not what was agreed on: ask anew
        return true;
      }
      // The digests have proven that much to be ours as well, whatever the replica says.
      BL_ASSERT(origin_ + reply.log_length <= proof_.written());
      session_ = Session{};
      session_->session_id = session_id_;
      session_->origin = origin_;
      session_->durable = SessionOffset{reply.log_length};
      session_->window_end = SessionOffset{reply.window_end};
      session_->state = reply.state;
      session_->journal_id = uuid_of(reply.journal_id);
      session_->peer = peer;
      session_->cut = cut_to_ == wire::kNoCut ? 0 : log_length_ - cut_to_;
      refusal_.clear();
      break;
    case wire::Phase::lend:  // it does
      refusal_.clear();
      break;
    case wire::Phase::refuse:
      break;
  }
  return true;
}

void SourceHandshake::take_answer(const wire::HelloAckBody& reply, std::uint64_t now_ns) {
  answer_id_ = reply.answer_id;
  log_length_ = reply.log_length;
  log_epoch_ = from_wire(reply.log_epoch);
  const Position released = from_wire(reply.released);
  if (identity_.inspect && take_inspection(reply)) return;
  if (released.is_null()) {  // a blank journal takes the stream from its beginning
    start_at_ = proof_.first();
    origin_ = proof_.linear_of(start_at_).value_or(0);
    log_length_ = 0;
    ask_to_start(wire::kNoCut, now_ns);
    return;
  }
  // The replica's control thread refuses a foreign stream itself; if it does not, this does.
  if (!std::equal(identity_.origin.bytes.begin(), identity_.origin.bytes.end(), reply.origin) ||
      reply.stream_term != identity_.stream_term) {
    refuse("the replica holds another source's stream; re-seed it", now_ns);
    return;
  }
  if (released < proof_.first()) {
    refuse(
        fmt::format(
            "the replica holds the stream up to {}, but the source's binlogs begin at {}: what is "
            "between was purged; fetch it from a peer's archive or re-seed the replica",
            to_string(released), to_string(proof_.first())),
        now_ns);
    return;
  }
  const auto found = proof_.linear_of(released);
  const auto origin =
      BL_MUTANT(shorter_source_accepted, std::optional(found.value_or(proof_.written())), found);
  if (!origin || *origin > proof_.written()) {
    refuse(fmt::format("the source's binlogs, which end at {}, do not hold {}, which the replica "
                       "was told to be safe: the source lost data and must not be a source",
                       to_string(proof_.position_of(proof_.written())), to_string(released)),
           now_ns);
    return;
  }
  start_at_ = released;
  origin_ = *origin;
  if (reply.below_length > 0) {
    const Position below_end = from_wire(reply.below_end);
    const auto below = proof_.digest_below(below_end, reply.below_length);
    if (BL_MUTANT(archive_digest_skipped, false, below && *below != reply.below_digest)) {
      refuse(fmt::format("the {} bytes before {} differ between the source's binlog and the "
                         "replica's archive: they are not the same stream; re-seed the replica",
                         std::uint64_t{reply.below_length}, to_string(below_end)),
             now_ns);
      return;
    }
  }
  compare(reply, now_ns);
}

void SourceHandshake::compare(const wire::HelloAckBody& reply, std::uint64_t now_ns) {
  const std::uint64_t from = reply.digest_from;
  const std::uint64_t to = reply.digest_to;
  const std::uint64_t chunk = reply.digest_chunk;
  BL_ASSERT(origin_ <= proof_.written());
  const std::uint64_t ours = proof_.written() - origin_;  // our length above released
  // The answer to ASK covers the whole log; only then does "all the same" mean that.
  const bool covers = phase_ == wire::Phase::compare || (from == 0 && to == log_length_);
  const bool counts = from == to ? reply.digest_count == 0
                                 : chunk > 0 && chunk <= to - from &&
                                       (to - from - 1) / chunk + 1 == reply.digest_count;
  const bool sound =
      from <= to && to <= log_length_ && covers && counts && reply.digest_count <= wire::kDigests;
  if (!sound || ++rounds_ > kMaxCompareRounds) {
    refuse("the replica's digests contradict each other", now_ns);
    return;
  }
  for (std::uint32_t i = 0; i < reply.digest_count; ++i) {
    const std::uint64_t begin = from + i * chunk;
    const std::uint64_t end = std::min(begin + chunk, to);
    if (begin >= ours) {  // everything before is the same, and we have no more
      finish_compare(ours, true, now_ns);
      return;
    }
    if (end <= ours) {
      const auto digest = proof_.digest(origin_ + begin, origin_ + end);
      if (!digest) {
        refuse("the source cannot read its own binlog back", now_ns);
        return;
      }
      if (BL_MUTANT(digest_skipped, true, *digest == reply.digests[i])) continue;
    }
    if (end - begin == 1) {
      finish_compare(begin, false, now_ns);
      return;
    }
    phase_ = wire::Phase::compare;
    compare_from_ = begin;
    compare_to_ = std::min(end, ours);
    next_send_ns_ = now_ns;
    return;
  }
  // All of [from, to) is the same.
  finish_compare(to == log_length_ ? wire::kNoCut : to, to == ours, now_ns);
}

// The replica's log is the same as ours up to `cut_to`; after that it only continues (`longer`) or
// continues differently.
void SourceHandshake::finish_compare(std::uint64_t cut_to, bool longer, std::uint64_t now_ns) {
  if (!identity_.inspect) {
    ask_to_start(cut_to, now_ns);
    return;
  }
  if (cut_to == wire::kNoCut) {
    const std::uint64_t ours = proof_.written() - origin_;
    inspected(asked_, log_length_ == ours ? Match::same : Match::prefix,
              proof_.position_of(origin_ + log_length_));
  } else {
    inspected(asked_, longer ? Match::longer : Match::differs,
              proof_.position_of(origin_ + cut_to));
  }
}

// What can be said of an inspected replica without comparing. Returns false if its log has to be
// compared.
bool SourceHandshake::take_inspection(const wire::HelloAckBody& reply) {
  asked_ = reply;
  const Position released = from_wire(reply.released);
  const bool same_stream =
      std::equal(identity_.origin.bytes.begin(), identity_.origin.bytes.end(), reply.origin) &&
      reply.stream_term == identity_.stream_term;
  if (!same_stream || released.is_null()) {
    inspected(reply, Match::other_stream, {});
    return true;
  }
  // It was told that more is released than we hold.
  const Position end = proof_.position_of(proof_.written());
  if (released > end) {
    inspected(reply, Match::longer, end);
    return true;
  }
  return false;
}

void SourceHandshake::inspected(const wire::HelloAckBody& reply, Match match,
                                const Position& common) {
  BL_ASSERT(identity_.inspect || identity_.look);
  Inspection& found = *(inspection_ = Inspection{});
  found.match = match;
  found.common = common;
  found.journal_id = uuid_of(reply.journal_id);
  found.origin = uuid_of(reply.origin);
  found.stream_term = reply.stream_term;
  found.log_epoch = from_wire(reply.log_epoch);
  found.end = from_wire(reply.durable);
  found.released = from_wire(reply.released);
  found.state = reply.state;
  found.rules = field_text(reply.rules);
  found.rules_cut_short = (reply.flags & wire::kAckRulesCutShort) != 0;
  refusal_.clear();
}

void SourceHandshake::looked(const wire::HelloAckBody& reply, std::uint64_t now_ns) {
  Look seen;
  seen.refused = reply.status == static_cast<std::uint8_t>(wire::HelloStatus::refused);
  seen.source_alive = (reply.flags & wire::kAckSourceAlive) != 0;
  if (seen.refused) {
    refusal_ = fmt::format("replica refuses: {}", field_text(reply.reason));
  } else {
    inspected(reply, Match::prefix, {});
    seen.found = *inspection_;
    inspection_.reset();
    seen.source = field_text(reply.reason);
  }
  look_ = std::move(seen);
  ++looks_;
  handshake_id_ = 0;  // the next look is another one
  next_send_ns_ = now_ns + kHelloRepeatNs;
}

void SourceHandshake::note_promise(const wire::HelloAckBody& reply) {
  const Epoch promised = from_wire(reply.promised);
  // It is a candidate's own promise, told with the answer while the logs are still being compared.
  const bool own =
      promised.term == identity_.epoch.term && uuid_of(reply.promised_to) == identity_.candidate;
  if (identity_.inspect && own) return;
  promised_ = std::max(promised_, promised);
  deposed_ = deposed_ || BL_MUTANT(deposed_unnoticed, false, promised.term > identity_.epoch.term);
}

void SourceHandshake::ask_to_start(std::uint64_t cut_to, std::uint64_t now_ns) {
  BL_ASSERT(!identity_.look && !identity_.inspect);  // those change nothing
  if (cut_to != wire::kNoCut) {
    BL_ASSERT(cut_to <= log_length_);
    const Position cut_at = proof_.position_of(origin_ + cut_to);
    const Position safe = safe_for(log_epoch_);
    if (BL_MUTANT(cut_below_safe, false, cut_at < safe)) {
      refuse(fmt::format("the logs differ from {} on, below {} which was synced here and held by a "
                         "quorum: the source lost data and must not be a source",
                         to_string(cut_at), to_string(safe)),
             now_ns);
      return;
    }
  }
  phase_ = wire::Phase::start;
  cut_to_ = cut_to;
  next_send_ns_ = now_ns;
}

void SourceHandshake::refuse(std::string reason, std::uint64_t now_ns) {
  phase_ = wire::Phase::refuse;
  refusal_ = std::move(reason);
  next_send_ns_ = now_ns;
}

}  // namespace binlane

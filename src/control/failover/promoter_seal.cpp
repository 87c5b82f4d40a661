// Promoter, the part after the proof: it seals the old stream, has it covered and executed, and
// begins the new stream.

#include <fmt/format.h>

#include <memory>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/failover/file_digest.h"
#include "control/failover/following.h"
#include "control/failover/promoter.h"
#include "shim/binlog/stream_scan.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {

// Puts the decision on record. From here on a restart continues the promotion.
void Promoter::seal() {
  for (const std::string& line : view_.proof) log::warning("promotion_proof", "{}", line);
  stream_.end();
  PromotionRecord next = record();
  next.step = PromotionStep::sealed;
  next.sealed_at = promotion_->sealed_at();
  BL_ASSERT(!next.sealed_at.is_null() && next.sealed_at <= candidate_.end);
  if (!goes_on(truncate_sealed(files_, next.sealed_at, replica_.platform().files()), {})) return;
  const auto digest =
      digest_up_to(*folders_.open(files_.directory, files_.basename), next.sealed_at);
  next.sealed_digest = digest.value_or(0);
  if (!goes_on(find_wanted_gtids(), {})) return;
  next.gtid = shown_gtids(wanted_gtids_);
  if (!goes_on(store(next), {})) return;
  log::warning("promotion", "term {}: the stream {} is sealed at {} (GTID {})", next.term,
               to_string(next.old_stream), to_string(next.sealed_at), next.gtid);
  phase_ = Phase::truncate;
}

// The GTIDs of a server that has executed all whole event groups of the sealed files. They are read
// from these files again after a restart, because the record has no room for a large set.
Status Promoter::find_wanted_gtids() {
  const std::shared_ptr<const BinlogFolder> folder =
      folders_.open(files_.directory, files_.basename);
  const auto whole_groups = whole_groups_before(*folder, files_.end);
  if (!whole_groups)
    return Status::failed(
        fmt::format("cannot read the event groups before {}", to_string(files_.end)));
  FixedFeedLimit limit;
  limit.set(*whole_groups);
  ArchiveGtids gtids({files_.directory, files_.basename, folder}, limit, [] { return false; });
  const auto executed = gtids.executed();
  if (!executed)
    return Status::failed("cannot find the GTID state at the end of the stream in its files: " +
                          gtids.error());
  wanted_gtids_ = executed->text();
  if (!wanted_gtids_.empty()) return Status::ok();
  return Status::failed("the stream's files contain no GTID at their end");
}

void Promoter::truncate() {
  const PromotionRecord promotion = record();
  BL_ASSERT(promotion.step == PromotionStep::sealed || promotion.step == PromotionStep::released);
  if (!goes_on(log_->truncate(promotion.sealed_at, {promotion.term, 0}),
               "the journal to record the new term"))
    return;
  if (!goes_on(serve(false), "the source's lane to stop")) return;
  begun_ns_ = 0;
  cover_ns_ = 0;
  phase_ = Phase::cover;
}

void Promoter::cover(std::uint64_t now_ns) {
  stream_.sessions().take_replies(now_ns);
  if (cover_ns_ == 0) cover_ns_ = now_ns;
  PromotionRecord next = record();
  if (const std::uint32_t later = stream_.sessions().deposed_by(); later > next.term)
    return give_up(fmt::format("term {} has begun elsewhere", later));
  stream_.tell_synced(next.sealed_at);  // the folder was synced when it was written
  const SourceMarks marks = stream_.marks();
  const bool covered = BL_MUTANT(seal_uncovered, true, marks.released_at >= next.sealed_at);
  if (marks.epoch != Epoch{next.term, 0} || !covered) {
    // Healthy peers need a moment for their handshakes, and no advice.
    const bool advise = now_ns - cover_ns_ >= kAbsentNs;
    return wait_for(fmt::format("the rule {} to cover {}{}", config_.source->quorum_text,
                                to_string(next.sealed_at),
                                uncovered(marks, next.sealed_at, advise)));
  }
  BL_ASSERT(marks.released_at <= next.sealed_at);
  if (next.step == PromotionStep::sealed) {
    next.step = PromotionStep::released;
    if (!goes_on(store(next), {})) return;
    log::warning("promotion", "term {}: the rule covers {}, which is now released", next.term,
                 to_string(next.sealed_at));
  }
  if (!goes_on(log_->release(next.sealed_at), "the journal to hold the seal")) return;
  if (begun_ns_ == 0) begun_ns_ = now_ns;
  if (stragglers(marks, now_ns)) return;
  phase_ = Phase::execute;
}

// Which peers keep the rule from covering the seal, and, to `advise`, what to do about those that
// cannot come.
std::string Promoter::uncovered(const SourceMarks& marks, const Position& seal, bool advise) const {
  std::string text;
  bool absent = false;
  const std::vector<SessionManager::ReplicaView> views = stream_.sessions().view();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const ReplicaMarks& peer = marks.replicas[i];
    if (peer.connected && peer.durable_at >= seal) continue;
    absent = absent || !peer.connected;
    const std::string& refusal = views[i].refusal;
    text += fmt::format("; {} {}", peers_[i].name,
                        peer.connected    ? "is catching up"
                        : refusal.empty() ? "does not answer"
                                          : "refuses: " + refusal);
  }
  if (absent && advise)
    text +=
        ". A host that cannot come before this promotion ends has to leave the rule: change quorum "
        "in this host's configuration, and restart its binlaned. The old source is such a host, "
        "because it can only rejoin afterwards";
  return text;
}

// Whether to wait for peers that are in a session and have not reached the seal. After the next
// step they could not reach it any more.
bool Promoter::stragglers(const SourceMarks& marks, std::uint64_t now_ns) {
  std::string names;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const ReplicaMarks& peer = marks.replicas[i];
    if (peer.connected && peer.durable < marks.written) names += " " + peers_[i].name;
  }
  if (names.empty()) return false;
  if (now_ns - begun_ns_ > kStragglerNs) {
    log::error("promotion",
               "these replicas did not reach the end of the sealed stream in time, and have to be "
               "re-seeded:{}",
               names);
    return false;
  }
  wait_for("these replicas to reach the end of the sealed stream:" + names);
  return true;
}

void Promoter::execute() {
  PromotionRecord next = record();
  BL_ASSERT(next.step == PromotionStep::released);
  if (!goes_on(log_->still_promised(), {})) return;
  if (wanted_gtids_.empty() && !goes_on(find_wanted_gtids(), {})) return;
  const Result<StandbyServer::Positions> found = server_.positions();
  if (!found.is_ok()) return wait_for("the local server to answer: " + found.status().text());
  const std::string& executed = found.value().executed;
  if (BL_MUTANT(execution_unproven, false, !server_.covers(executed, wanted_gtids_))) {
    return wait_for(fmt::format(
        "the local server to execute everything up to GTID {}; it is at {} ({} says why)",
        shown_gtids(wanted_gtids_), executed.empty() ? "nothing" : shown_gtids(executed),
        server_.words().show_replica_status));
  }
  if (const Status stopped = server_.stop_following(); !stopped.is_ok())
    return wait_for("the local server to stop following: " + stopped.text());
  next.step = PromotionStep::executed;
  if (!goes_on(store(next), {})) return;
  log::warning("promotion", "term {}: the local server has executed everything up to {}", next.term,
               shown_gtids(wanted_gtids_));
  stream_.end();
  own_writes_.reset();
  phase_ = Phase::activate;
}

// The binlog file that the server begins now is the first one of the new stream.
void Promoter::activate(std::uint64_t now_ns) {
  BL_ASSERT(record().step == PromotionStep::executed);
  if (const Status answers = server_.answers(); !answers.is_ok())
    return wait_for("the local server to answer: " + answers.text());
  // While this host waited for its server, a later candidate may have come.
  const Status promised = log_->still_promised();
  if (BL_MUTANT(lost_promise_unnoticed, false, !promised.is_ok()))
    return step_aside(promised.text());
  if (!goes_on(own_writes_.look(now_ns), "the local server to execute what it has begun")) return;
  const Result<StandbyServer::NewStream> stream = server_.begin_stream();
  if (!stream.is_ok())
    return wait_for("the local server to begin the new stream: " + stream.status().text());
  goes_on(begin_stream(stream.value()), {});
}

// A stream that this host began now would be fenced at once, and its server would have to be
// rebuilt. The server follows no source since the step EXECUTED, so it is told to follow the feed
// again. [S1]
void Promoter::step_aside(const std::string& reason) {
  give_up(reason);
  RoleState role = role_.state();
  if (role.promotion.step != PromotionStep::none) return;  // the disk did not take that
  role.rejoining = true;
  if (const int error = role_.store(role); error != 0)
    log::error("role_not_stored", "cannot store the host's role: {}", errno_text(error));
  std::string statement;
  const Status follows = server_.follow(feed_address(*config_.replica), {}, statement);
  if (follows.is_ok())
    log::warning("promotion", "the local server follows this host's feed again: {}", statement);
  else
    log::error("promotion", "{}. Until binlane rejoin --rebuilt succeeds, it follows no source",
               follows.text());
}

Status Promoter::begin_stream(const StandbyServer::NewStream& stream) {
  BL_ASSERT(stream.file > 0 && !stream.basename.empty());
  PromotionRecord next = record();
  next.step = PromotionStep::active;
  next.new_start = {stream.file, 0};
  SourceState state;
  state.origin = next.new_origin;
  state.epoch = {next.term, 0};
  state.basename = stream.basename;
  state.stream_start = next.new_start;
  // Nothing of this stream was acknowledged yet, and the registration with the server must not say
  // more. [S3]
  state.quorum = {stream.file, kBinlogMagicSize};
  if (const int error = state_.store(state); error != 0)
    return Status::failed(fmt::format("cannot store the source's state: {}", errno_text(error)));
  RoleState role = role_.state();
  BL_ASSERT(may_follow(role.promotion.step, next.step));
  role.role = HostRole::source;
  role.fenced_by = 0;
  role.promotion = next;
  if (const int error = role_.store(role); error != 0)
    return Status::failed(fmt::format("cannot store the host's role: {}", errno_text(error)));
  view_.step = next.step;
  view_.waiting_for.clear();
  view_.running = false;
  phase_ = Phase::idle;
  succeeded_ = true;
  remove_sealed_folders();
  log::warning("promotion", "term {}: this host is now the source; stream {} begins at {}",
               next.term, to_string(next.new_origin), to_string(next.new_start));
  return Status::ok();
}

}  // namespace binlane

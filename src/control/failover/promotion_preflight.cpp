#include "control/failover/promotion_preflight.h"

#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/failover/candidate_log.h"
#include "control/stream/old_stream_identity.h"

namespace binlane {
namespace {

HeardSource heard_source(ReplicaSide& replica) {
  const ReplicaControl::View view = replica.control().view();
  if (!view.marks.connected) return {};
  return {view.source_name, view.marks.heard_ns};
}

}  // namespace

PromotionPreflight::PromotionPreflight(const Config& config, LaneHandle& lane, ReplicaSide& replica,
                                       StandbyServer& server,
                                       std::vector<SessionManager::Replica> peers)
    : config_(config),
      replica_(replica),
      server_(server),
      peers_(std::move(peers)),
      looks_(lane),
      own_writes_(server) {}

void PromotionPreflight::begin(const Uuid& host_id, bool from_live_source) {
  BL_ASSERT(!host_id.is_null());
  phase_ = Phase::host;
  host_id_ = host_id;
  from_live_source_ = from_live_source;
  server_fit_ = false;
  attempts_ = 0;
  term_ = largest_promise_ = 0;
  survey_.reset();
  own_writes_.reset();
  warnings_.clear();
  lines_.clear();
  waiting_for_.clear();
}

Status PromotionPreflight::wait_for(std::string what) {
  waiting_for_ = std::move(what);
  return Status::pending();
}

Status PromotionPreflight::work(std::uint64_t now_ns) {
  if (phase_ == Phase::host) {
    if (Status host = check_host(); !host.is_ok()) return host;
    phase_ = Phase::server;
  }
  if (phase_ == Phase::server) {
    Status server = check_server(now_ns);
    if (BL_MUTANT(unfit_server_promoted, false, !server.is_ok())) return server;
    phase_ = Phase::peers;
  }
  if (phase_ == Phase::peers) {
    if (Status begun = begin_look(now_ns); !begun.is_ok()) return begun;
    phase_ = Phase::looking;
  }
  return survey(now_ns);
}

Status PromotionPreflight::check_host() {
  if (Status journal = check_journal(); !journal.is_ok()) return journal;
  const JournalMeta meta = replica_.store().meta();
  const auto term = Promotion::next_term(meta.promise.term, 0);
  if (!term) return Status::failed("there is no later term: the largest one is promised");
  BL_ASSERT(*term > meta.promise.term);
  term_ = *term;
  return Status::ok();
}

Status PromotionPreflight::check_journal() {
  const JournalMeta meta = replica_.store().meta();
  if (meta.stream.is_null() || replica_.lane().queues().marks.load().durable.is_null())
    return Status::failed("this host holds no stream, so it has nothing to continue from");
  if (!meta.damaged_until.is_null())
    return Status::failed(
        "this host's journal lost bytes that it had acknowledged, and does not have them again "
        "yet");
  const bool diverged = replica_.control().view().exposures.divergence.has_value();
  if (BL_MUTANT(diverged_host_promoted, false, diverged))
    return Status::failed(
        "this host is DIVERGED: its server was fed what a later term does not hold. Rebuild it");
  if (!meta.learner_until.is_null())
    return Status::failed(
        "this host's journal began anew, and does not yet hold what existed before (a learner)");
  return Status::ok();
}

// Checks what otherwise would show only after there is no way back.
Status PromotionPreflight::check_server(std::uint64_t now_ns) {
  if (!server_fit_) {
    if (Status fit = server_.check_fit(warnings_); !fit.is_ok()) return fit;
    server_fit_ = true;
  }
  Status own = own_writes_.look(now_ns);
  return own.is_pending() ? wait_for("the local server to execute what it has begun") : own;
}

Status PromotionPreflight::begin_look(std::uint64_t now_ns) {
  const JournalMeta meta = replica_.store().meta();
  if (!looks_.begin(old_stream_identity(cluster_id_of(config_.cluster), config_.name, meta.stream,
                                        meta, {term_, host_id_}),
                    peers_))
    return wait_for("the source's lane to stop");
  std::vector<std::string> names;
  for (const SessionManager::Replica& peer : peers_) names.push_back(peer.name);
  survey_.emplace(log_at_a_glance(config_.name, replica_), std::move(names), now_ns);
  return Status::ok();
}

Status PromotionPreflight::survey(std::uint64_t now_ns) {
  BL_ASSERT(survey_ && term_ > 0);
  looks_.sessions().take_replies(now_ns);
  survey_->take(looks_.sessions().view(), heard_source(replica_), now_ns);
  largest_promise_ = survey_->largest_promise();
  // A peer has promised a later term than ours already. What it says about our term is not what it
  // would say about one after that, so the look is repeated in a later term.
  if (const auto later = Promotion::next_term(0, largest_promise_);
      largest_promise_ >= term_ && later && attempts_ < kMaxTermAttempts) {
    ++attempts_;
    term_ = *later;
    looks_.end();
    phase_ = Phase::peers;
    return wait_for("the peers' answers");
  }
  const PromotionSurvey::State state = survey_->state(from_live_source_, now_ns);
  if (state == PromotionSurvey::State::asking) return wait_for("the peers' answers");
  looks_.end();
  lines_ = survey_->lines(now_ns);
  lines_.insert(lines_.end(), warnings_.begin(), warnings_.end());
  for (const std::string& warning : warnings_) log::warning("standby", "{}", warning);
  if (state == PromotionSurvey::State::refused)
    return Status::failed(survey_->reason(from_live_source_));
  // While it asked its peers it may have gone over to the stream that follows.
  return check_journal();
}

}  // namespace binlane

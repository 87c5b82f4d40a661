// World, the part that promotes: an operator who has lost the source, or wants another one, asks
// one host after the other until it is done, and mends what only he can behind it.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "violation.h"
#include "world.h"

namespace binlane::sim {
namespace {

// Where a candidate's source listens, beside its replica's side.
constexpr std::uint16_t kSourcePort = 7200;
// Between two requests of the operator.
constexpr std::uint64_t kAskAgainNs = 500 * kNanosPerMilli;
// A proof waits for answers for some seconds, several times when terms collide.
constexpr std::uint64_t kPromotionNs = 240 * kNanosPerSecond;

constexpr FaultKind kLies[] = {FaultKind::lost_write, FaultKind::misdirected_write,
                               FaultKind::bit_rot};

// Why a replica has to begin anew behind a promotion; everything else passes by itself.
bool wants_reseed(const std::string& refusal) {
  for (const char* const reason : {"DIVERGED", "re-seed", "holds the stream", "not the same stream",
                                   "another source's stream", "purged"}) {
    if (refusal.find(reason) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<HandshakeDesk::Replica> World::peers_of(const ReplicaHost& own) const {
  std::vector<HandshakeDesk::Replica> peers;
  for (const auto& peer : replicas_) {
    if (peer.get() != &own) peers.push_back({peer->name(), 0, peer->endpoint()});
  }
  return peers;
}

// Each host could be a source, and so may lend its log to one.
void World::make_lenders() {
  for (const auto& own : replicas_)
    lenders_.push_back(std::make_unique<Lender>(clock_, *network_, random_.fork(), trace_, *own,
                                                Endpoint{own->endpoint().ipv4, kSourcePort},
                                                peers_of(*own)));
}

Candidate& World::promote(std::size_t replica) {
  BL_ASSERT(!candidate_ || candidate_->phase() == Candidate::Phase::given_up);
  ReplicaHost& own = *replicas_.at(replica);
  CandidateOptions options;
  SourceHostOptions& source = options.source;
  source.name = own.name();
  source.local = {own.endpoint().ipv4, kSourcePort};
  source.replicas = peers_of(own);
  lenders_.at(replica)->stop();
  // One replica fewer, and the candidate itself holds everything.
  const auto peers = static_cast<std::uint32_t>(source.replicas.size());
  source.rule.number = source_->rule().number + 1;
  source.rule.clause_count = 1;
  source.rule.clauses[0] = {(1U << peers) - 1, std::min(options_.quorum, peers - 1)};
  source.fallback.timeout_ns = 2 * kNanosPerSecond;
  source.fallback.server_timeout_ns = options_.server.timeout_ns;
  source.fallback.recover_backoff_max_ns = 2 * kNanosPerSecond;
  source.host_id = Uuid::random();
  source.ledger_path =
      fmt::format("{}/binlane-sim.{}.second.ledger", options_.directory, ::getpid());
  options.server = options_.server;
  options.server.first_file = 1;
  // What the server has executed of the sealed files.
  options.next_gtid = [this](const BinlogStore& sealed) {
    std::uint64_t next = 1;
    for (const Commit& commit : server_->commits()) {
      if (stream_holds(sealed, commit)) next = std::max(next, commit.gtid + 1);
    }
    return next;
  };
  promotion_checks_.reset();
  candidate_ = std::make_unique<Candidate>(clock_, *network_, random_.fork(), trace_, own,
                                           std::move(options));
  promotion_checks_ = std::make_unique<PromotionChecks>(*this, *candidate_);
  return *candidate_;
}

bool World::promoted() const {
  return candidate_ && candidate_->phase() == Candidate::Phase::active;
}

bool World::media_lied() const {
  return std::any_of(std::begin(kLies), std::end(kLies), [this](FaultKind kind) {
    return fault_counts_[static_cast<std::size_t>(kind)] > 0;
  });
}

// Planned, or because the source's machine is lost, with what it had not synced or without. It
// comes back after the fault's length, whoever is the source by then.
void World::begin_promotion(const Fault& fault, std::uint64_t back_ns) {
  // Binlogs that were reset begin a stream that no replica holds yet.
  if (promotion_asked_ || server_->resets() > 0) return;
  promotion_asked_ = true;
  next_candidate_ = fault.draw % replicas_.size();
  const std::uint64_t how = fault.draw / 64 % 3;
  if (how == 0) return;
  source_->kill();
  if (server_->up()) server_->kill();
  if (how == 1) binlogs_.cut_power(random_);
  server_restart_.at_ns = back_ns;
  source_restart_.at_ns = back_ns + fault.draw % kNanosPerSecond;
}

void World::promotions() {
  if (!promotion_asked_ || clock_.time_ns < next_promotion_ns_) return;
  if (candidate_ && candidate_->phase() != Candidate::Phase::given_up) return;
  next_promotion_ns_ = clock_.time_ns + kAskAgainNs;
  // The one that the refusal names, or anybody.
  for (std::size_t i = 0; candidate_ && i < replicas_.size(); ++i) {
    if (replicas_[i]->name() == candidate_->better_candidate()) next_candidate_ = i;
  }
  ++promotions_tried_;
  promote(next_candidate_);
  next_candidate_ = (next_candidate_ + 1) % replicas_.size();
}

// False when nobody can be promoted without a loss: what a proof needs may be gone with replicas
// that were replaced, or whose media lied. Then there is no source until the operator decides what
// to lose; what was promised until then holds all the same.
bool World::ends_promoted() {
  const std::uint64_t enough = promotions_tried_ + 2 * replicas_.size();
  const bool uncounted = std::any_of(replicas_.begin(), replicas_.end(), [](const auto& replica) {
    const JournalMeta meta = replica->stored_meta();
    return replica->impaired || replica->damaged() || !meta.learner_until.is_null() ||
           meta.stream.is_null() || replica->exposures().divergence;
  });
  run_until([&] { return promoted() || (uncounted && promotions_tried_ > enough); }, kPromotionNs,
            "a promotion");
  return promoted();
}

// The new source serves everybody, under semi-sync; the old one is back, and is none.
bool World::well_promoted() const {
  if (!promoted() || !source_->up() || source_->fenced_by() == 0) return false;
  if (server_->up() && !server_->read_only()) return false;
  const SourceHost& source = *candidate_->source();
  if (source.fallback_state() != FallbackState::semisync) return false;
  if (!source.ledger()->open_intervals().empty()) return false;
  const Position end = candidate_->server()->written();
  return std::all_of(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
    if (replica.get() == &candidate_->own()) return true;
    return replica->up() && !replica->damaged() &&
           replica->stream().origin == candidate_->new_origin() && replica->archive_end() == end;
  });
}

ReplicaHost& World::replica_called(const std::string& name) {
  const auto found = std::find_if(replicas_.begin(), replicas_.end(),
                                  [&](const auto& replica) { return replica->name() == name; });
  BL_ASSERT(found != replicas_.end());
  return **found;
}

void World::reseed(ReplicaHost& replica) {
  replica.kill();
  replica.reseed();
  replica.impaired = true;
  replica.start();
}

// A group's beginning was released, as that of a large one has to be, and the source died before
// its end was everywhere. Replicas that have it stand half a group behind the seal, which none of
// their servers was fed; the candidate says who refuses and why, and they begin anew.
void World::operators_at_the_seal() {
  if (!candidate_ || candidate_->phase() != Candidate::Phase::cover) return;
  for (const auto& view : candidate_->peers()) {
    ReplicaHost& replica = replica_called(view.name);
    const bool beyond = view.refusal.find("was told to be safe") != std::string::npos;
    if (replica.up() && !view.in_session && beyond && replica.fed() <= candidate_->sealed_at())
      reseed(replica);
  }
}

// Replicas that cannot go over to the new stream begin anew.
void World::operators_behind_promotion() {
  if (!promoted()) return operators_at_the_seal();
  if (!candidate_->source()->running()) return;
  for (const auto& view : candidate_->source()->replicas()) {
    ReplicaHost& replica = replica_called(view.name);
    if (!replica.up()) continue;
    mend_trust(replica, candidate_->binlogs(), candidate_->new_origin());
    if (view.in_session) continue;
    if (wants_reseed(view.refusal)) reseed(replica);
    // It had bid for the same term, unseen by whoever was promoted then, and died.
    if (view.refusal.find("is promised to another source") == std::string::npos) continue;
    replica.kill();
    replica.reset_promise(candidate_->promise());
    replica.start();
  }
}

}  // namespace binlane::sim

// World, the part that promotes: an operator who has lost the source, or wants another one, asks
// one host after the other until one is promoted, and afterwards repairs what only an operator can.

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "violation.h"
#include "world.h"

namespace binlane::sim {
namespace {

// A proof waits for answers for some seconds, and several times if terms collide.
constexpr std::uint64_t kPromotionNs = 240 * kNanosPerSecond;

constexpr FaultKind kLies[] = {FaultKind::lost_write, FaultKind::misdirected_write,
                               FaultKind::bit_rot};

// Whether this refusal means that the replica has to be re-seeded after a promotion. Every other
// refusal ends by itself.
bool wants_reseed(const std::string& refusal) {
  for (const char* const reason : {"DIVERGED", "re-seed", "holds the stream", "not the same stream",
                                   "another source's stream", "purged"}) {
    if (refusal.find(reason) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<SessionManager::Replica> World::peers_of(const ReplicaHost& own) const {
  std::vector<SessionManager::Replica> peers;
  for (const auto& peer : replicas_) {
    if (peer.get() != &own) peers.push_back({peer->name(), 0, peer->endpoint()});
  }
  // It is in no rule, because it serves nobody before it has rejoined.
  if (source_own_) peers.push_back({source_own_->name(), 0, source_own_->endpoint()});
  return peers;
}

// Each host may become the source, and so may serve its log to a candidate.
void World::make_candidates() {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    ReplicaHost& own = *replicas_[i];
    SourceHostOptions source;
    source.name = own.name();
    source.standby = true;
    source.local = {own.endpoint().ipv4, kOtherPort};
    source.replicas = peers_of(own);
    source.fallback.timeout_ns = 2 * kNanosPerSecond;
    source.fallback.server_timeout_ns = options_.server.timeout_ns;
    source.fallback.recover_backoff_max_ns = 2 * kNanosPerSecond;
    source.fallback.mode = options_.mode;
    source.degraded_release = options_.degraded_release;
    source.ledger_path = ledger_prefix() + own.name() + ".ledger";
    MysqldOptions server = options_.server;
    server.first_file = 1;
    server.uuid.bytes[1] = static_cast<std::uint8_t>(own.endpoint().ipv4);
    server.enabled_at_start = false;  // a standby has semi-sync OFF; binlaned switches it ON
    server.read_only_at_start = true;
    candidates_.push_back(std::make_unique<SourceHost>(clock_, *network_, random_.fork(), trace_,
                                                       std::move(source), server, &own));
  }
  promotion_checks_.resize(replicas_.size());
  for (SourceHost* const host : hosts())
    host->on_rejoined = [this, host](bool rebuilt) {
      if (!rebuilt) check_rejoined(*this, *host);
      if (host == source_.get()) checks_->on_source_rejoins(rebuilt);
    };
}

std::vector<SourceHost*> World::hosts() const {
  std::vector<SourceHost*> hosts;
  for (const auto& candidate : candidates_) hosts.push_back(candidate.get());
  if (source_own_) hosts.push_back(source_.get());
  return hosts;
}

SourceHost& World::promote(std::size_t replica) {
  SourceHost& candidate = *candidates_.at(replica);
  // One replica fewer, because the candidate itself holds everything. A host that was the source
  // before serves nobody.
  const auto peers = static_cast<std::uint32_t>(replicas_.size() - 1);
  const auto sources = static_cast<std::uint32_t>(std::count_if(
      candidates_.begin(), candidates_.end(), [](const auto& each) { return each->begun(); }));
  const std::uint32_t able = peers > sources + 1 ? peers - 1 - sources : 1;
  QuorumRule rule;
  rule.number = source_->rule().number + 1 + promotions_tried_;
  rule.clause_count = 1;
  rule.clauses[0] = {(1U << peers) - 1, std::min(options_.quorum, able)};
  candidate_ = &candidate;
  promotion_checks_[replica] = std::make_unique<PromotionChecks>(*this, candidate);
  candidate.promote(rule);
  return candidate;
}

PromotionChecks* World::checks_of(const SourceHost* candidate) {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].get() == candidate) return promotion_checks_[i].get();
  }
  return nullptr;
}

const PromotionWatch* World::sealer() const {
  const PromotionWatch* latest = nullptr;
  for (const auto& candidate : candidates_) {
    const PromotionWatch& promotion = candidate->promotion();
    const bool sealed =
        !promotion.sealed_at().is_null() && promotion.old_stream().origin == source_->origin();
    if (sealed && (latest == nullptr || promotion.term() > latest->term())) latest = &promotion;
  }
  return latest;
}

PromotionChecks* World::sealer_checks() {
  const PromotionWatch* const found = sealer();
  for (const auto& candidate : candidates_) {
    if (&candidate->promotion() == found) return checks_of(candidate.get());
  }
  return nullptr;
}

Mysqld* World::server_of(const Uuid& origin) {
  if (origin == source_->origin()) return &server();
  for (const auto& candidate : candidates_) {
    if (candidate->begun() && candidate->promotion().new_origin() == origin)
      return &candidate->server();
  }
  return nullptr;
}

bool World::follows(const Uuid& before, const Uuid& after) const {
  if (before == after) return true;
  return std::any_of(followed_.begin(), followed_.end(), [&](const auto& pair) {
    return pair.second == after && follows(before, pair.first);
  });
}

void World::on_answer(const Uuid& origin, const Commit& commit) {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (promotion_checks_[i] && candidates_[i]->promotion().old_stream().origin == origin)
      promotion_checks_[i]->on_old_answer(commit);
  }
}

SourceHost& World::source_of_now() {
  return promoted() ? *candidate_ : *source_;
}

bool World::promoted() const {
  return candidate_ != nullptr && candidate_->begun();
}

bool World::media_lied() const {
  return std::any_of(std::begin(kLies), std::end(kLies), [this](FaultKind kind) {
    return fault_counts_[static_cast<std::size_t>(kind)] > 0;
  });
}

// A promotion that is planned, or that follows the loss of the source's machine, with or without
// what it had not synced. The machine comes back after the fault's length, whichever host is the
// source by then.
void World::begin_promotion(const Fault& fault, std::uint64_t back_ns) {
  // After a reset, no replica holds the stream yet.
  if (promotion_asked_ || server().resets() > 0) return;
  promotion_asked_ = true;
  next_candidate_ = fault.draw % replicas_.size();
  const std::uint64_t how = fault.draw / 64 % 3;
  if (how == 0) return;
  source_->kill();
  if (server().up()) server().kill();
  if (how == 1) source_->cut_power(random_);
  server_restart_.at_ns = back_ns;
  source_restart_.at_ns = back_ns + fault.draw % kNanosPerSecond;
}

void World::promotions() {
  if (!promotion_asked_ || clock_.time_ns < next_promotion_ns_) return;
  // A rival may have won, in a later term.
  for (const auto& candidate : candidates_) {
    if (candidate->begun() && !promotion_wanted_ &&
        (!promoted() || candidate->promotion().term() > candidate_->promotion().term()))
      candidate_ = candidate.get();
  }
  if (std::any_of(candidates_.begin(), candidates_.end(),
                  [](const auto& each) { return each->in_progress(); }))
    return;
  // Or it has fenced the winner, and given up: there is no source, and everybody who was one has to
  // be brought back.
  if (promoted() && candidate_->deposed()) {
    promotion_wanted_ = true;
    rebuild_deposed();
  }
  if (promoted() && !promotion_wanted_) return;
  next_promotion_ns_ = clock_.time_ns + kAskAgainNs;
  // The host that the refusal names, or any.
  const PromotionView last = candidate_ != nullptr ? candidate_->view() : PromotionView{};
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (replicas_[i]->name() == last.better_candidate) next_candidate_ = i;
  }
  // It still serves its log to a candidate that has given up: ask it again.
  if (last.refusal.find("serves its log") != std::string::npos)
    next_candidate_ = index_of(*candidate_);
  const auto chosen = another_standby(next_candidate_);
  if (!chosen) return;
  ++promotions_tried_;
  promotion_wanted_ = false;
  promote(*chosen);
  next_candidate_ = (*chosen + 1) % replicas_.size();
}

// The first from there on that is not, and was not, a source.
std::optional<std::size_t> World::another_standby(std::uint64_t draw) const {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const std::size_t index = (draw + i) % candidates_.size();
    const SourceHost& candidate = *candidates_[index];
    if (!candidate.begun() && !candidate.in_progress()) return index;
  }
  return std::nullopt;
}

std::size_t World::index_of(const SourceHost& candidate) const {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].get() == &candidate) return i;
  }
  BL_ASSERT(false);
  return 0;
}

// Another operator, or the same one who has lost patience.
bool World::ask_rival(const Fault& fault) {
  if (!promotion_asked_ || promoted()) return true;
  if (candidate_ == nullptr || !candidate_->in_progress()) return false;
  // At a moment that the seed draws.
  if (static_cast<std::size_t>(candidate_->phase()) < 1 + fault.draw / 1024 % 8) return false;
  const auto rival = another_standby(fault.draw / 8192);
  if (!rival) return true;
  ++promotion_counts_.rivals;
  trace_.note("rival", replicas_[*rival]->endpoint().ipv4);
  ++promotions_tried_;
  promote(*rival);
  return true;
}

// The source of now is replaced as the first one was: planned, or because its machine is lost.
bool World::begin_later_promotion(const Fault& fault) {
  if (!promotion_asked_) return true;
  if (!promoted() || promotion_wanted_) return false;
  if (!candidate_->up() || candidate_->fallback_state() != FallbackState::semisync) return false;
  // At least one host has to be left to follow.
  const auto sources = std::count_if(candidates_.begin(), candidates_.end(),
                                     [](const auto& each) { return each->begun(); });
  if (static_cast<std::size_t>(sources) + 2 > replicas_.size()) return true;
  const auto next = another_standby(fault.draw / 64);
  if (!next) return true;
  promotion_wanted_ = true;
  next_candidate_ = *next;
  trace_.note("later promotion", *next);
  if (fault.draw / 1024 % 2 == 0) lose_machine(*candidate_, fault, fault.draw / 2048 % 2 == 0);
  return true;
}

void World::lose_machine(SourceHost& candidate, const Fault& fault, bool power) {
  if (power) {
    candidate.cut_power(random_);
  } else {
    candidate.kill();
    if (candidate.server().up()) candidate.server().kill();
  }
  replica_restarts_[index_of(candidate)].at_ns = clock_.time_ns + kNanosPerMilli + fault.length_ns;
}

// The candidate's daemon, server, machine or disk, at a step that the seed draws.
bool World::strike_candidate(const Fault& fault) {
  if (!promotion_asked_ || promoted()) return true;
  if (candidate_ == nullptr || !candidate_->in_progress()) return false;
  const auto phase = static_cast<std::size_t>(candidate_->phase());
  if (phase < 1 + fault.draw / 1024 % 8) return false;
  ++promotion_counts_.struck[phase];
  const std::size_t index = index_of(*candidate_);
  trace_.note("candidate struck", index, phase);
  switch (fault.kind) {
    case FaultKind::candidate_server_down:
      replicas_[index]->server().down_until_ns = clock_.time_ns + kNanosPerMilli + fault.length_ns;
      return true;
    case FaultKind::candidate_role_error:
      candidate_->role_failing_until_ns = clock_.time_ns + kNanosPerMilli + fault.length_ns;
      return true;
    default:
      lose_machine(*candidate_, fault, fault.kind == FaultKind::candidate_power_cut);
      return true;
  }
}

// Some time after it has begun.
bool World::strike_new_source(const Fault& fault) {
  if (!promotion_asked_) return true;
  if (!promoted() || clock_.time_ns < fault.at_ns + fault.draw / 1024 % (10 * kNanosPerSecond))
    return false;
  trace_.note("new source struck", index_of(*candidate_));
  if (fault.kind != FaultKind::new_source_server_kill) {
    lose_machine(*candidate_, fault, fault.kind == FaultKind::new_source_power_cut);
    return true;
  }
  if (candidate_->server().up()) candidate_->server().kill();
  replica_restarts_[index_of(*candidate_)].at_ns =
      clock_.time_ns + kNanosPerMilli + fault.length_ns;
  return true;
}

World::PromotionCounts& World::PromotionCounts::operator+=(const PromotionCounts& other) {
  active += other.active;
  resumed += other.resumed;
  rivals += other.rivals;
  rejoins += other.rejoins;
  rejoins_refused += other.rejoins_refused;
  first_rejoins += other.first_rejoins;
  for (std::size_t i = 0; i < struck.size(); ++i) struck[i] += other.struck[i];
  return *this;
}

World::PromotionCounts World::promotion_counts() const {
  PromotionCounts counts = promotion_counts_;
  for (const auto& candidate : candidates_) {
    counts.active += candidate->begun() ? 1 : 0;
    counts.resumed += candidate->resumed();
    counts.rejoins += candidate->rejoins();
  }
  counts.first_rejoins = source_->rejoins();
  counts.rejoins += counts.first_rejoins;
  return counts;
}

// False when nobody can be promoted without a loss: what a proof needs may be gone with replicas
// that were replaced, or whose media lied, or with a source that was rebuilt because a rival had
// fenced it and given up. Then there is no source until the operator decides what to lose; what was
// promised until then holds all the same.
bool World::ends_promoted() {
  const std::uint64_t enough = promotions_tried_ + 2 * replicas_.size();
  const auto uncounted = [this] {
    return std::any_of(replicas_.begin(), replicas_.end(), [](const auto& replica) {
      const JournalMeta meta = replica->stored_meta();
      return replica->impaired || replica->damaged() || !meta.learner_until.is_null() ||
             meta.stream.is_null() || replica->exposures().divergence;
    });
  };
  // A rival that is at it still may fence the source of now, and give up.
  const auto done = [this] {
    return promoted() && !promotion_wanted_ && !candidate_->deposed() &&
           std::none_of(candidates_.begin(), candidates_.end(),
                        [](const auto& each) { return each->in_progress(); });
  };
  run_until([&] { return done() || (promotions_tried_ > enough && uncounted()); }, kPromotionNs,
            "a promotion");
  return done();
}

// The new source serves all replicas under semi-sync, and the old one is back and is not a source.
bool World::well_promoted() const {
  if (!promoted() || !source_->up()) return false;
  if (source_->begun() && source_->fenced_by() == 0) return false;
  // A commit that came after the fence waits for good, and read_only waits for it. Either stops
  // writes.
  if (server().up() && !server().read_only() && !server().read_only_pending()) return false;
  const SourceHost& source = *candidate_;
  if (source.fallback_state() != FallbackState::semisync) return false;
  if (!source.ledger()->open_intervals().empty()) return false;
  if (source.server().read_only() || source.server().read_only_pending()) return false;
  // Who was the source in between is none, and knows it.
  const bool others_fenced =
      std::all_of(candidates_.begin(), candidates_.end(), [this](const auto& other) {
        return other.get() == candidate_ || !other->begun() ||
               (other->up() && other->fenced_by() != 0);
      });
  if (!others_fenced) return false;
  const Position end = source.server().written();
  const std::vector<SourceHost*> all = hosts();
  return std::all_of(all.begin(), all.end(), [&](const SourceHost* host) {
    const ReplicaHost& replica = host->own();
    return host->begun() ||
           (replica.up() && !replica.damaged() && replica.stream().origin == source.origin() &&
            replica.archive_end() == end);
  });
}

ReplicaHost& World::replica_called(const std::string& name) {
  if (source_own_ && name == source_own_->name()) return *source_own_;
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

// Who cannot copy up to a seal, and says so, begins anew: it stands in a stream before the one that
// is sealed, or half a group behind the seal. Of a large group the beginning has to be released,
// and the source may die before its end is everywhere; no server was fed that.
void World::operators_at_the_seals() {
  for (const auto& candidate : candidates_) {
    if (candidate->phase() != Promoter::Phase::cover) continue;
    for (const auto& view : candidate->peers()) {
      ReplicaHost& replica = replica_called(view.name);
      if (!replica.up() || view.in_session) continue;
      const bool beyond = view.refusal.find("was told to be safe") != std::string::npos &&
                          replica.fed() <= candidate->promotion().sealed_at();
      if (beyond || wants_reseed(view.refusal)) reseed(replica);
    }
  }
}

// A candidate that gives up after it has stopped its server from following leaves it so, and says
// that it does not follow: START SLAVE.
void World::operators_of_standbys() {
  for (SourceHost* const host : hosts()) {
    FedServer& server = host->own().server();
    if (!host->in_progress() && !host->begun()) server.following = true;
  }
}

// Replicas that cannot switch to the new stream are re-seeded.
void World::operators_behind_promotion() {
  operators_at_the_seals();
  operators_of_standbys();
  if (!promoted() || !candidate_->running()) return;
  for (const auto& view : candidate_->replicas()) {
    ReplicaHost& replica = replica_called(view.name);
    if (!replica.up()) continue;
    mend_trust(replica, candidate_->binlogs(), candidate_->origin());
    if (view.in_session) continue;
    if (wants_reseed(view.refusal)) reseed(replica);
    // This host had asked for the same term, unseen by the host that was promoted then, and died.
    if (view.refusal.find("is promised to another source") == std::string::npos) continue;
    replica.kill();
    replica.reset_promise(candidate_->promotion().promise());
    replica.start();
  }
}

}  // namespace binlane::sim

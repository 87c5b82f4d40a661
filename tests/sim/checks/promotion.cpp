#include "promotion.h"

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "base/crc32c.h"
#include "base/stream_digest.h"

namespace binlane::sim {

bool stream_holds(const BinlogStore& store, const Commit& commit) {
  if (!store.has(commit.end.file)) return false;
  const auto& data = store.file(commit.end.file).data;
  if (data.size() < commit.end.offset) return false;
  const ConstBytes bytes =
      ConstBytes(data).subspan(commit.begin.offset, commit.end.offset - commit.begin.offset);
  return crc32c(0, bytes) == commit.crc;
}

void check_rejoined(World& world, SourceHost& host) {
  const auto fail = [&](const std::string& what) {
    throw Violation(
        fmt::format("S12: {} has rejoined {}; {}", host.own().name(), what, world.describe()));
  };
  const PromotionWatch* sealer = nullptr;
  for (const auto& other : world.candidates()) {
    const PromotionWatch& promotion = other->promotion();
    const bool sealed = promotion.old_stream().origin == host.origin() &&
                        !promotion.sealed_at().is_null() && other->begun();
    if (sealed && (sealer == nullptr || promotion.term() > sealer->term())) sealer = &promotion;
  }
  if (sealer == nullptr) return fail("though nobody has sealed its stream");
  const Mysqld& server = host.server();
  for (const Commit& commit : server.commits()) {
    if (commit.stream == server.resets() && !commit.lost && commit.end > sealer->sealed_at())
      fail(fmt::format("with commit {} ({}), the stream was sealed at {}", commit.id,
                       to_string(commit.end), to_string(sealer->sealed_at())));
  }
  const BinlogStore& sealed = sealer->sealed();
  for (std::uint32_t file = host.binlogs().first(); file <= sealed.last(); ++file) {
    if (!sealed.has(file)) continue;
    std::vector<std::byte> own = host.binlogs().file(file).data;
    std::vector<std::byte> log = sealed.file(file).data;
    own.resize(std::min(own.size(), log.size()));
    for (std::vector<std::byte>* bytes : {&own, &log}) {
      if (bytes->size() > kInUseOffset) (*bytes)[kInUseOffset] = std::byte{0};
    }
    if (own != log)
      fail(fmt::format("with a binlog {} that is not that of the sealed stream", file));
  }
}

PromotionChecks::PromotionChecks(World& world, SourceHost& candidate)
    : world_(world),
      candidate_(candidate),
      fed_when_asked_(candidate.own().fed()),
      diverged_fed_(world.replicas().size()) {
  candidate.promotion().on_sealed = [this] { on_sealed(); };
  candidate.promotion().on_released = [this] { on_released(); };
  candidate.on_active = [this] { on_active(); };
}

void PromotionChecks::fail(const std::string& invariant, const std::string& what) const {
  throw Violation(fmt::format("{}: {}; {}", invariant, what, world_.describe()));
}

// Compares everything that was acknowledged before the seal.
void PromotionChecks::on_sealed() {
  check_follows_the_last();
  world_.on_sealed(candidate_.promotion().old_stream().origin, candidate_.promotion().new_origin());
  const Mysqld* const old = world_.server_of(candidate_.promotion().old_stream().origin);
  if (old == nullptr) return;  // it has rejoined since, as another one's replica
  for (const Commit& commit : old->commits()) {
    if (commit.answer == Answer::acked && commit.stream == old->resets()) on_old_answer(commit);
  }
}

// The stream that it ends is the one in which clients were answered last, or nothing was answered
// since: two candidates never go on from the same stream and both acknowledge.
void PromotionChecks::check_follows_the_last() const {
  const SourceHost* last = nullptr;
  for (const auto& other : world_.candidates()) {
    PromotionChecks* const checks = world_.checks_of(other.get());
    if (other.get() == &candidate_ || !other->begun() || checks == nullptr) continue;
    if (other->promotion().term() < candidate_.promotion().term() && checks->new_acked() > 0 &&
        (last == nullptr || other->promotion().term() > last->promotion().term()))
      last = other.get();
  }
  if (last != nullptr &&
      !world_.follows(last->promotion().new_origin(), candidate_.promotion().old_stream().origin))
    fail("I1", fmt::format("{} has sealed the stream before that of {}, which has acknowledged",
                           candidate_.own().name(), last->own().name()));
}

void PromotionChecks::on_old_answer(const Commit& commit) {
  if (candidate_.promotion().sealed_at().is_null() || commit.answer != Answer::acked ||
      commit.unsafe)
    return;
  if (world_.media_lied()) return;  // more may have failed than the rule tolerates
  ++compared_;
  if (commit.end > candidate_.promotion().sealed_at())
    fail("I1",
         fmt::format("commit {} ({}) was acknowledged, and the stream is sealed at {}", commit.id,
                     to_string(commit.end), to_string(candidate_.promotion().sealed_at())));
  const bool purged = commit.end.file < candidate_.promotion().sealed().first();
  if (!purged && !stream_holds(candidate_.promotion().sealed(), commit))
    fail("I1", fmt::format("commit {} ({}) was acknowledged, and the winning log holds other bytes",
                           commit.id, to_string(commit.end)));
  const auto [found, inserted] = acked_.emplace(commit.name(), commit.crc);
  if (!inserted && found->second != commit.crc)
    fail("split ACK", fmt::format("GTID {} was acknowledged by both sources", commit.gtid));
}

// The tail may go to servers only now.
void PromotionChecks::on_released() {
  if (!covered(candidate_.promotion().sealed_at()))
    fail("S2", fmt::format("{} has released up to {}, which its rule does not cover",
                           candidate_.own().name(), to_string(candidate_.promotion().sealed_at())));
}

void PromotionChecks::on_active() {
  candidate_.server().answered = [this](const Commit& commit) { on_new_answer(commit); };
}

void PromotionChecks::on_new_answer(const Commit& commit) {
  world_.on_answer(candidate_.promotion().new_origin(), commit);
  if (commit.answer != Answer::acked || commit.unsafe) return;
  ++new_acked_;
  const auto [found, inserted] = acked_.emplace(commit.name(), commit.crc);
  if (!inserted)
    fail("split ACK",
         fmt::format("GTID {} was acknowledged by the old source and the new one", commit.gtid));
  // The peers that would hold the commit after a power cut, by the new source's rule.
  const ReplicaSet holders = peers_that([&](const ReplicaHost& peer) {
    return peer.impaired ||
           world_.checks().holds(peer, commit, candidate_.promotion().new_origin());
  });
  if (!candidate_.rule_in_force().satisfied_by(holders))
    fail("I1", fmt::format("commit {} ({}) of the new source was acknowledged, held by {:#x}",
                           commit.id, to_string(commit.end), holders));
}

// A set of the candidate's peers, in the numbering of its rule.
ReplicaSet PromotionChecks::peers_that(const std::function<bool(const ReplicaHost&)>& do_so) const {
  ReplicaSet found = 0;
  std::uint32_t index = 0;
  for (const auto& peer : world_.replicas()) {
    if (peer.get() == &candidate_.own()) continue;
    if (do_so(*peer)) found |= ReplicaSet{1} << index;
    ++index;
  }
  return found;
}

bool PromotionChecks::covered(Position position) const {
  const ReplicaSet holders = peers_that([&](const ReplicaHost& peer) {
    if (peer.impaired || peer.stream().origin == candidate_.promotion().new_origin()) return true;
    const RecoveredJournal found = peer.recover();
    return found.start.epoch.term >= candidate_.promotion().term() && found.start.end >= position;
  });
  return position <= candidate_.promotion().sealed_at() && candidate_.rule().satisfied_by(holders);
}

void PromotionChecks::after_step() {
  if (candidate_.promotion().sealed_at().is_null()) return;
  check_feeds();
}

void PromotionChecks::check_feeds() {
  const auto& replicas = world_.replicas();
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const ReplicaHost& host = *replicas[i];
    const bool switched = host.stream().origin == candidate_.promotion().new_origin();
    if (switched && host.fed_before() > candidate_.promotion().sealed_at())
      fail("S10", fmt::format("{} follows the new stream, and was fed the old one up to {}",
                              host.name(), to_string(host.fed_before())));
    if (!host.exposures().divergence) continue;
    if (diverged_fed_[i].is_null()) diverged_fed_[i] = host.fed();
    if (host.fed() != diverged_fed_[i])
      fail("S10",
           fmt::format("{} is DIVERGED, and fed up to {}", host.name(), to_string(host.fed())));
  }
  const ReplicaHost& own = candidate_.own();
  // A power cut may have taken the record of what was released, but not what the server has
  // executed.
  const Position before = std::max(candidate_.promotion().released_before(), fed_when_asked_);
  // Who has lost to a later candidate is fed what that one releases.
  const bool alone =
      candidate_.in_progress() && own.stored_meta().promise == candidate_.promotion().promise();
  const bool early = alone && !candidate_.promotion().released() && own.fed() > before;
  if (early)
    fail("S2", fmt::format("{} feeds up to {} before the new rule covers the seal", own.name(),
                           to_string(own.fed())));
}

}  // namespace binlane::sim

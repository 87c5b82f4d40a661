#include "promotion.h"

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "base/crc32c.h"

namespace binlane::sim {

bool stream_holds(const BinlogStore& store, const Commit& commit) {
  if (!store.has(commit.end.file)) return false;
  const auto& data = store.file(commit.end.file).data;
  if (data.size() < commit.end.offset) return false;
  const ConstBytes bytes =
      ConstBytes(data).subspan(commit.begin.offset, commit.end.offset - commit.begin.offset);
  return crc32c(0, bytes) == commit.crc;
}

PromotionChecks::PromotionChecks(World& world, Candidate& candidate)
    : world_(world),
      candidate_(candidate),
      fed_when_asked_(candidate.own().fed()),
      diverged_fed_(world.replicas().size()) {
  candidate.on_sealed = [this] { on_sealed(); };
  candidate.on_active = [this] { on_active(); };
}

void PromotionChecks::fail(const std::string& invariant, const std::string& what) const {
  throw Violation(fmt::format("{}: {}; {}", invariant, what, world_.describe()));
}

// Everything that was acknowledged until now.
void PromotionChecks::on_sealed() {
  for (const Commit& commit : world_.server().commits()) {
    if (commit.answer == Answer::acked && commit.stream == world_.server().resets())
      on_old_answer(commit);
  }
}

void PromotionChecks::on_old_answer(const Commit& commit) {
  if (candidate_.sealed_at().is_null() || commit.answer != Answer::acked || commit.unsafe) return;
  if (world_.media_lied()) return;  // more may have failed than the rule tolerates
  ++compared_;
  if (commit.end > candidate_.sealed_at())
    fail("I1", fmt::format("commit {} ({}) was acknowledged, and the stream is sealed at {}",
                           commit.id, to_string(commit.end), to_string(candidate_.sealed_at())));
  const bool purged = commit.end.file < candidate_.sealed().first();
  if (!purged && !stream_holds(candidate_.sealed(), commit))
    fail("I1", fmt::format("commit {} ({}) was acknowledged, and the winning log holds other bytes",
                           commit.id, to_string(commit.end)));
  const auto [found, inserted] = acked_.emplace(commit.gtid, commit.crc);
  if (!inserted && found->second != commit.crc)
    fail("split ACK", fmt::format("GTID {} was acknowledged by both sources", commit.gtid));
}

void PromotionChecks::on_active() {
  candidate_.server()->answered = [this](const Commit& commit) { on_new_answer(commit); };
}

void PromotionChecks::on_new_answer(const Commit& commit) {
  if (commit.answer != Answer::acked || commit.unsafe) return;
  ++new_acked_;
  const auto [found, inserted] = acked_.emplace(commit.gtid, commit.crc);
  if (!inserted)
    fail("split ACK",
         fmt::format("GTID {} was acknowledged by the old source and the new one", commit.gtid));
  // What a power cut would leave, by the rule of the new source.
  const ReplicaSet holders = peers_that([&](const ReplicaHost& peer) {
    return peer.impaired || world_.checks().holds(peer, commit, candidate_.new_origin());
  });
  if (!candidate_.source()->rule_in_force().satisfied_by(holders))
    fail("I1", fmt::format("commit {} ({}) of the new source was acknowledged, held by {:#x}",
                           commit.id, to_string(commit.end), holders));
}

// The candidate's peers, as its rule counts them.
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
    if (peer.impaired || peer.stream().origin == candidate_.new_origin()) return true;
    const RecoveredJournal found = peer.recover();
    return found.start.epoch.term >= candidate_.term() && found.start.end >= position;
  });
  return position <= candidate_.sealed_at() && candidate_.rule().satisfied_by(holders);
}

void PromotionChecks::after_step() {
  if (candidate_.sealed_at().is_null()) return;
  check_feeds();
}

void PromotionChecks::check_feeds() {
  const auto& replicas = world_.replicas();
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const ReplicaHost& host = *replicas[i];
    const bool switched = host.stream().origin == candidate_.new_origin();
    if (switched && host.fed_before() > candidate_.sealed_at())
      fail("S10", fmt::format("{} follows the new stream, and was fed the old one up to {}",
                              host.name(), to_string(host.fed_before())));
    if (!host.exposures().divergence) continue;
    if (diverged_fed_[i].is_null()) diverged_fed_[i] = host.fed();
    if (host.fed() != diverged_fed_[i])
      fail("S10",
           fmt::format("{} is DIVERGED, and fed up to {}", host.name(), to_string(host.fed())));
  }
  const ReplicaHost& own = candidate_.own();
  // A power cut may have taken the record of what was released, and not what the server has.
  const Position before = std::max(candidate_.released_before(), fed_when_asked_);
  const bool early = !candidate_.released() && own.fed() > before;
  if (early)
    fail("S2", fmt::format("{} feeds up to {} before the new rule covers the seal", own.name(),
                           to_string(own.fed())));
}

}  // namespace binlane::sim

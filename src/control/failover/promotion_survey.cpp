#include "control/failover/promotion_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "control/failover/promotion_answer.h"

namespace binlane {

PromotionSurvey::PromotionSurvey(PromotionLog candidate, std::vector<std::string> peers,
                                 std::uint64_t now_ns)
    : candidate_(std::move(candidate)), begun_ns_(now_ns) {
  for (std::string& name : peers) peers_.emplace_back().name = std::move(name);
}

void PromotionSurvey::take(const std::vector<SessionManager::ReplicaView>& peers,
                           const HeardSource& heard, std::uint64_t now_ns) {
  heard_ = heard;
  const bool settles = !settled_ && passed_ns(now_ns) >= kSettleNs;
  for (const SessionManager::ReplicaView& view : peers) {
    largest_promise_ = std::max(largest_promise_, view.promised_term);
    for (Peer& peer : peers_) {
      if (peer.name != view.name) continue;
      if (settles) peer.looks_then = peer.looks;
      if (!view.look) continue;
      peer.answered = true;
      peer.look = *view.look;
      peer.refusal = view.look->refused ? view.refusal : std::string();
      peer.looks = view.looks;
      // The first answer after that moment may have been sent before it.
      const bool now = settled_ && peer.looks >= peer.looks_then + 2;
      if (now && peer.look.source_alive && live_.empty())
        live_ = peer.look.refused ? peer.name : peer.look.source;
    }
  }
  settled_ = settled_ || settles;
  if (!heard.name.empty() && heard.heard_ns > begun_ns_) live_ = heard.name;
  closed_ = closed_ || passed_ns(now_ns) > kPatienceNs;
}

// A source was heard lately, or a peer said so. Whether it is still alive shows within kAliveNs.
bool PromotionSurvey::maybe_alive() const {
  if (!heard_.name.empty() && heard_.heard_ns + kSourceHeardNs > begun_ns_) return true;
  return std::any_of(peers_.begin(), peers_.end(),
                     [](const Peer& peer) { return peer.answered && peer.look.source_alive; });
}

// Judges as if the looks were fenced logs. Looks do not compare bytes, so the longer of two logs is
// assumed to hold everything that the shorter one holds.
Promotion PromotionSurvey::promotion() const {
  std::vector<std::string> names;
  for (const Peer& peer : peers_) names.push_back(peer.name);
  Promotion promotion(candidate_, candidate_.end, std::move(names));
  for (const Peer& peer : peers_) {
    if (!peer.answered) continue;
    if (peer.look.refused) {
      promotion.on_refusal(peer.name, peer.refusal);
      continue;
    }
    PromotionAnswer answer = promotion_answer(peer.name, peer.look.found);
    answer.relation = answer.log.end > candidate_.end ? LogRelation::longer : LogRelation::prefix;
    answer.common = std::min(answer.log.end, candidate_.end);
    promotion.on_answer(answer);
  }
  if (closed_) promotion.close();
  return promotion;
}

PromotionSurvey::State PromotionSurvey::state(bool from_live_source, std::uint64_t now_ns) const {
  const Promotion judged = promotion();
  switch (judged.verdict()) {
    case PromotionVerdict::open:
      return State::asking;
    case PromotionVerdict::refused:
      return State::refused;
    case PromotionVerdict::lesser:
    case PromotionVerdict::proven:
      break;
  }
  if (BL_MUTANT(live_source_promoted_away, false, !live_.empty() && !from_live_source))
    return State::refused;
  if (!judged.complete() && passed_ns(now_ns) < kGraceNs) return State::asking;
  if (maybe_alive() && live_.empty() && passed_ns(now_ns) < kAliveNs) return State::asking;
  return State::clear;
}

std::string PromotionSurvey::reason(bool from_live_source) const {
  const Promotion judged = promotion();
  const PromotionVerdict verdict = judged.verdict();
  if (verdict == PromotionVerdict::open || verdict == PromotionVerdict::refused)
    return judged.reason();
  if (live_.empty() || from_live_source) return "peers that may hold a longer log";
  return fmt::format(
      "the source {} is alive: its binlaned answers. If its server has died, run binlane fence {} "
      "on that host, and repeat this. Otherwise a promotion would be a planned switchover: stop "
      "the source's writers, and repeat this with --from-live-source",
      live_, live_);
}

std::vector<std::string> PromotionSurvey::lines(std::uint64_t now_ns) const {
  std::vector<std::string> lines;
  for (const Peer& peer : peers_) {
    if (!peer.answered) {
      lines.push_back(fmt::format("peer {}: has not answered", peer.name));
    } else if (peer.look.refused) {
      lines.push_back(fmt::format("peer {}: {}", peer.name, peer.refusal));
    } else {
      const PromotionLog log = promotion_answer(peer.name, peer.look.found).log;
      const std::string held =
          log.stream == candidate_.stream
              ? fmt::format("log of epoch {} up to {}", epoch_text(log.epoch), to_string(log.end))
              : std::string("nothing of this stream");
      const std::string lacks = log.damaged   ? ", damaged, so it does not count"
                                : log.learner ? ", a learner, so it does not count"
                                              : "";
      lines.push_back(fmt::format("peer {} (journal {}): would answer: {}{}", peer.name,
                                  to_string(log.journal_id), held, lacks));
    }
  }
  if (!live_.empty())
    lines.push_back(fmt::format("the source {} is alive", live_));
  else if (!heard_.name.empty())
    lines.push_back(fmt::format("the source {} was last heard {:.1f} s ago", heard_.name,
                                static_cast<double>(now_ns - std::min(now_ns, heard_.heard_ns)) /
                                    static_cast<double>(kNanosPerSecond)));
  else
    lines.emplace_back("no source is in a session with this host");
  return lines;
}

}  // namespace binlane

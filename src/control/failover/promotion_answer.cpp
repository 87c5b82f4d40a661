#include "control/failover/promotion_answer.h"

#include <algorithm>

#include "binlane/wire.h"

namespace binlane {
namespace {

LogRelation relation_of(SourceHandshake::Match match) {
  switch (match) {
    case SourceHandshake::Match::same:
      return LogRelation::same;
    case SourceHandshake::Match::longer:
      return LogRelation::longer;
    case SourceHandshake::Match::differs:
      return LogRelation::differs;
    case SourceHandshake::Match::prefix:
    case SourceHandshake::Match::other_stream:
      break;
  }
  return LogRelation::prefix;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

PromotionAnswer promotion_answer(const std::string& name,
                                 const SourceHandshake::Inspection& found) {
  PromotionAnswer answer;
  answer.log.name = name;
  answer.log.journal_id = found.journal_id;
  answer.log.stream = {found.origin, found.stream_term};
  answer.log.epoch = found.log_epoch;
  answer.log.end = found.end;
  answer.log.released = found.released;
  answer.log.damaged = (found.state & (wire::kStateDamaged | wire::kStateJournalFailed)) != 0;
  // A peer that could not report all its rules counts like a learner: no other peer may know them.
  answer.log.learner = (found.state & wire::kStateLearner) != 0 || found.rules_cut_short;
  answer.log.rules = promotion_rules(lines_of(found.rules));
  answer.relation = relation_of(found.match);
  answer.common = found.common;
  return answer;
}

void take_inspections(Promotion& promotion, const std::vector<SessionManager::ReplicaView>& peers) {
  for (const SessionManager::ReplicaView& peer : peers) {
    if (peer.inspection)
      promotion.on_answer(promotion_answer(peer.name, *peer.inspection));
    else if (!peer.refusal.empty())
      promotion.on_refusal(peer.name, peer.refusal);
  }
}

std::uint32_t promised_elsewhere(const std::vector<SessionManager::ReplicaView>& peers) {
  std::uint32_t term = 0;
  for (const SessionManager::ReplicaView& peer : peers) {
    if (!peer.inspection) term = std::max(term, peer.promised_term);
  }
  return term;
}

}  // namespace binlane

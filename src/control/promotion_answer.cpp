#include "control/promotion_answer.h"

#include <algorithm>
#include <variant>

#include "binlane/wire.h"
#include "control/quorum_text.h"

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

PromotionRule rule_from(const std::string& text) {
  PromotionRule rule;
  rule.text = text;
  rule.members = names_in_quorum_text(text);
  // More names than there can be replicas are on record as somebody sent them: nobody can fence it.
  if (rule.members.size() > kMaxReplicas) {
    rule.members.clear();
    return rule;
  }
  const auto parsed = parse_quorum_rule(text, rule.members);
  // One that cannot be read is satisfied by nobody knows what: nothing fences it.
  if (const auto* found = std::get_if<QuorumRule>(&parsed)) rule.rule = *found;
  return rule;
}

}  // namespace

std::vector<PromotionRule> promotion_rules(const std::vector<std::string>& texts) {
  std::vector<PromotionRule> rules;
  for (const std::string& text : texts) rules.push_back(rule_from(text));
  return rules;
}

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
  // Rules that it could not tell may be ones that nobody else tells.
  answer.log.learner = (found.state & wire::kStateLearner) != 0 || found.rules_cut_short;
  answer.log.rules = promotion_rules(lines_of(found.rules));
  answer.relation = relation_of(found.match);
  answer.common = found.common;
  return answer;
}

void take_inspections(Promotion& promotion, const std::vector<HandshakeDesk::ReplicaView>& peers) {
  for (const HandshakeDesk::ReplicaView& peer : peers) {
    if (peer.inspection)
      promotion.on_answer(promotion_answer(peer.name, *peer.inspection));
    else if (!peer.refusal.empty())
      promotion.on_refusal(peer.name, peer.refusal);
  }
}

std::uint32_t promised_elsewhere(const std::vector<HandshakeDesk::ReplicaView>& peers) {
  std::uint32_t term = 0;
  for (const HandshakeDesk::ReplicaView& peer : peers) {
    if (!peer.inspection) term = std::max(term, peer.promised_term);
  }
  return term;
}

}  // namespace binlane

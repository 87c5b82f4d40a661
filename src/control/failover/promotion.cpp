#include "control/failover/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {
namespace {

const char* to_string(LogRelation relation) {
  switch (relation) {
    case LogRelation::same:
      return "the same";
    case LogRelation::prefix:
      return "a beginning of the candidate's";
    case LogRelation::longer:
      return "the candidate's and more";
    case LogRelation::differs:
      return "different";
  }
  return "?";
}

// The members of a rule that are not among the logs found.
std::vector<std::string> missing_members(const PromotionRule& rule,
                                         const std::vector<const PromotionLog*>& found) {
  std::vector<std::string> missing;
  for (const std::string& member : rule.members) {
    const bool there = std::any_of(found.begin(), found.end(), [&member](const PromotionLog* log) {
      return log->name == member;
    });
    if (!there) missing.push_back(member);
  }
  return missing;
}

ReplicaSet members_found(const PromotionRule& rule, const std::vector<const PromotionLog*>& found) {
  ReplicaSet set = 0;
  for (std::size_t i = 0; i < rule.members.size() && i < kMaxReplicas; ++i) {
    for (const PromotionLog* log : found) {
      if (log->name == rule.members[i]) set |= ReplicaSet{1} << i;
    }
  }
  return set;
}

}  // namespace

Promotion::Promotion(PromotionLog candidate, Position whole_groups, std::vector<std::string> peers)
    : candidate_(std::move(candidate)), whole_groups_(whole_groups) {
  BL_ASSERT(peers.size() <= kMaxReplicas);
  BL_ASSERT(whole_groups_ <= candidate_.end);
  for (std::string& name : peers) peers_.push_back({std::move(name), std::nullopt, {}});
}

std::optional<std::uint32_t> Promotion::next_term(std::uint32_t own_promise,
                                                  std::uint32_t largest_seen) noexcept {
  const std::uint32_t largest = std::max(own_promise, largest_seen);
  if (largest >= kMaxTerm) return std::nullopt;
  return largest + 1;
}

bool Promotion::on_answer(const PromotionAnswer& answer) {
  for (Peer& peer : peers_) {
    if (peer.name != answer.log.name) continue;
    peer.answer = answer;
    peer.refusal.clear();
    return true;
  }
  return false;
}

bool Promotion::on_refusal(const std::string& name, const std::string& reason) {
  for (Peer& peer : peers_) {
    if (peer.name != name) continue;
    peer.answer.reset();
    peer.refusal = reason.empty() ? "refused" : reason;
    return true;
  }
  return false;
}

bool Promotion::complete() const noexcept {
  return std::all_of(peers_.begin(), peers_.end(),
                     [](const Peer& peer) { return peer.answer || !peer.refusal.empty(); });
}

// `before`: how many peers come before this log; it must not be the journal of one of them.
std::string Promotion::not_inspected(const PromotionLog& log, std::size_t before) const {
  if (log.journal_id.is_null()) return "its answer does not name its journal";
  if (BL_MUTANT(damaged_counted_as_inspected, false, log.damaged))
    return "its journal lost bytes that it had acknowledged";
  if (log.learner) return "its journal began anew and has not caught up";
  if (log.stream.origin.is_null()) return "its journal is blank";
  // A stream of a later term exists only after an earlier one was sealed. A log of an earlier term
  // is old and short, but honest: it never acknowledged a byte of the candidate's stream.
  if (log.stream.term == candidate_.stream.term && log.stream.origin != candidate_.stream.origin)
    return "it holds another stream of the same term";
  if (&log != &candidate_ && log.journal_id == candidate_.journal_id)
    return "it has the candidate's own journal";
  for (std::size_t i = 0; i < before; ++i) {
    const auto& earlier = peers_[i].answer;
    if (earlier && earlier->log.journal_id == log.journal_id)
      return fmt::format("it has the same journal as {}", earlier->log.name);
  }
  return {};
}

std::vector<const PromotionLog*> Promotion::inspected() const {
  std::vector<const PromotionLog*> found;
  if (not_inspected(candidate_, 0).empty()) found.push_back(&candidate_);
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const auto& answer = peers_[i].answer;
    if (answer && not_inspected(answer->log, i).empty()) found.push_back(&answer->log);
  }
  return found;
}

// Every rule found on a log of this stream. The rules on a replica that does not count can only
// require more. Rules of an older stream were satisfied when that was sealed.
std::vector<PromotionRule> Promotion::rules() const {
  std::vector<PromotionRule> found;
  const auto add = [this, &found](const PromotionLog& log) {
    if (log.stream != candidate_.stream) return;
    for (const PromotionRule& rule : log.rules) {
      const bool known =
          std::any_of(found.begin(), found.end(),
                      [&rule](const PromotionRule& other) { return other.text == rule.text; });
      if (!known) found.push_back(rule);
    }
  };
  add(candidate_);
  for (const Peer& peer : peers_) {
    if (peer.answer) add(peer.answer->log);
  }
  return found;
}

// Whether an inspected log forbids this candidate, whatever else answers.
std::optional<Promotion::Judgement> Promotion::judge_logs() const {
  if (const std::string why = not_inspected(candidate_, 0); !why.empty())
    return Judgement{PromotionVerdict::refused,
                     fmt::format("{} cannot be promoted: {}", candidate_.name, why),
                     {}};
  std::optional<Judgement> judgement;
  const PromotionAnswer* best = nullptr;
  const auto refuse = [&](const PromotionAnswer& answer, std::string reason) {
    const bool same_stream = answer.log.stream == candidate_.stream;
    const auto rank = [](const PromotionAnswer& a) {
      return std::make_pair(a.log.stream.term, std::make_pair(a.log.epoch, a.log.end));
    };
    if (best != nullptr && rank(*best) >= rank(answer)) return;
    best = &answer;
    judgement =
        Judgement{PromotionVerdict::refused, std::move(reason), answer.log.name, same_stream};
  };
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (!peers_[i].answer) continue;
    const PromotionAnswer& answer = *peers_[i].answer;
    const PromotionLog& log = answer.log;
    // A damaged or lagging log still tells what it has.
    if (log.stream.term > candidate_.stream.term) {
      refuse(
          answer,
          fmt::format("{} holds the stream of term {}, but {} holds that of term {}: a promotion "
                      "took place without it",
                      log.name, log.stream.term, candidate_.name, candidate_.stream.term));
      continue;
    }
    if (log.stream != candidate_.stream || !not_inspected(log, i).empty()) continue;
    if (BL_MUTANT(lesser_log_promoted, false, answer.relation == LogRelation::longer))
      refuse(answer,
             fmt::format("{} holds all that {} holds, and more: up to {} instead of {}", log.name,
                         candidate_.name, to_string(log.end), to_string(candidate_.end)));
    if (answer.relation == LogRelation::differs && log.epoch > candidate_.epoch)
      refuse(answer, fmt::format("after {} the logs of {} and {} differ, and {} had the later "
                                 "session with the source (epoch {}, not {})",
                                 to_string(answer.common), log.name, candidate_.name, log.name,
                                 epoch_text(log.epoch), epoch_text(candidate_.epoch)));
    if (answer.relation == LogRelation::differs && log.epoch == candidate_.epoch)
      return Judgement{
          PromotionVerdict::refused,
          fmt::format("after {} the logs of {} and {} differ within one epoch ({}): one of the two "
                      "is damaged",
                      to_string(answer.common), log.name, candidate_.name, epoch_text(log.epoch)),
          {}};
  }
  return judgement;
}

// What the rules still need; nothing when every one is fenced.
std::optional<Promotion::Judgement> Promotion::judge_rules() const {
  const std::vector<PromotionRule> found = rules();
  const PromotionVerdict verdict =
      closed_ || complete() ? PromotionVerdict::refused : PromotionVerdict::open;
  if (found.empty())
    return Judgement{
        verdict,
        "no quorum rule is on record, so it is unknown which replicas may have acknowledged what",
        {}};
  const auto logs = inspected();
  for (const PromotionRule& rule : found) {
    if (rule.rule.level == AckLevel::received)
      return Judgement{
          PromotionVerdict::refused,
          fmt::format("under the rule {} commits were acknowledged before they were on stable "
                      "storage, so nothing can be proven",
                      rule.text),
          {}};
    const bool fenced = rule.rule.is_fence_set(members_found(rule, logs));
    if (BL_MUTANT(promoted_without_fence, true, fenced)) continue;
    std::string text;
    for (const std::string& name : missing_members(rule, logs)) {
      std::string why = "it has not answered";
      for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (peers_[i].name != name) continue;
        if (peers_[i].answer) why = not_inspected(peers_[i].answer->log, i);
        if (!peers_[i].refusal.empty()) why = peers_[i].refusal;
      }
      text += fmt::format("; {}: {}", name, why);
    }
    return Judgement{
        verdict,
        fmt::format("under the rule {} a commit may have been acknowledged by replicas that were "
                    "not inspected{}",
                    rule.text, text),
        {}};
  }
  return std::nullopt;
}

Promotion::Judgement Promotion::judgement() const {
  auto logs = judge_logs();
  if (logs && !logs->can_be_fetched) return std::move(*logs);
  auto rules = judge_rules();
  if (logs) {
    // If the rules cannot be fenced either, the candidate is refused for what it lacks, which is
    // reported first.
    const bool fenced = BL_MUTANT(fetched_before_fenced, true, !rules);
    const bool open = !fenced && rules->verdict == PromotionVerdict::open;
    if (fenced) logs->verdict = PromotionVerdict::lesser;
    return std::move(open ? *rules : *logs);
  }
  if (rules) return std::move(*rules);
  return {PromotionVerdict::proven, {}, {}};
}

Position Promotion::better_end() const {
  const std::string better = better_candidate();
  for (const Peer& peer : peers_) {
    if (peer.name == better && peer.answer) return peer.answer->log.end;
  }
  return {};
}

// Whoever was not inspected may have been told that everything is released which it and others can
// have held together as a quorum. Null where every member of every rule was inspected.
Position Promotion::released_unseen() const {
  const auto logs = inspected();
  const auto reach_of = [this](const PromotionLog& log) {
    for (const Peer& peer : peers_) {
      if (peer.answer && &peer.answer->log == &log && peer.answer->relation == LogRelation::differs)
        return peer.answer->common;
    }
    return std::min(log.end, candidate_.end);
  };
  Position most;
  for (const PromotionRule& rule : rules()) {
    const ReplicaSet all = (ReplicaSet{1} << std::min(rule.members.size(), kMaxReplicas)) - 1;
    const ReplicaSet unseen = all & ~members_found(rule, logs);
    if (unseen == 0) continue;
    for (const PromotionLog* const log : logs) {
      std::vector<const PromotionLog*> holders;
      std::copy_if(logs.begin(), logs.end(), std::back_inserter(holders),
                   [&](const PromotionLog* other) { return reach_of(*other) >= reach_of(*log); });
      if (rule.rule.satisfied_by(unseen | members_found(rule, holders)))
        most = std::max(most, reach_of(*log));
    }
  }
  return most;
}

Position Promotion::sealed_at() const {
  BL_ASSERT(verdict() == PromotionVerdict::proven);
  const Position seen = std::max(whole_groups_, candidate_.released);
  Position sealed = BL_MUTANT(unseen_release_ignored, seen, std::max(seen, released_unseen()));
  for (const Peer& peer : peers_) {
    if (!peer.answer || peer.answer->log.stream != candidate_.stream) continue;
    const PromotionAnswer& answer = *peer.answer;
    const bool all_here =
        answer.relation == LogRelation::same || answer.relation == LogRelation::prefix;
    // No quorum had what it released beyond this log: it was degraded, or its medium lied.
    const Position released = answer.log.released;
    sealed = std::max(sealed, all_here ? released : std::min(released, answer.common));
  }
  BL_ASSERT(sealed <= candidate_.end);
  return BL_MUTANT(sealed_within_group, candidate_.end, sealed);
}

std::vector<std::string> Promotion::proof() const {
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "candidate {} (journal {}): stream {} term {}, log of epoch {} up to {}, whole event groups "
      "up to {}",
      candidate_.name, to_string(candidate_.journal_id), to_string(candidate_.stream.origin),
      candidate_.stream.term, epoch_text(candidate_.epoch), to_string(candidate_.end),
      to_string(whole_groups_)));
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const Peer& peer = peers_[i];
    if (!peer.answer) {
      lines.push_back(fmt::format("peer {}: not inspected: {}", peer.name,
                                  peer.refusal.empty() ? "it has not answered" : peer.refusal));
      continue;
    }
    const PromotionLog& log = peer.answer->log;
    const std::string why = not_inspected(log, i);
    const std::string held =
        log.stream == candidate_.stream
            ? fmt::format("log of epoch {} up to {}, {}{}", epoch_text(log.epoch),
                          to_string(log.end), to_string(peer.answer->relation),
                          peer.answer->relation == LogRelation::differs
                              ? fmt::format(" after {}", to_string(peer.answer->common))
                              : std::string())
            : fmt::format("nothing of this stream (it holds that of term {})", log.stream.term);
    lines.push_back(fmt::format("peer {} (journal {}): {}: {}", log.name, to_string(log.journal_id),
                                why.empty() ? "fenced and inspected" : "not inspected, " + why,
                                held));
  }
  const auto logs = inspected();
  for (const PromotionRule& rule : rules()) {
    const bool fenced = rule.rule.is_fence_set(members_found(rule, logs));
    const auto missing = missing_members(rule, logs);
    lines.push_back(fmt::format(
        "rule {}: {}", rule.text,
        fenced ? (missing.empty() ? std::string("every member was inspected")
                                  : fmt::format("it cannot be satisfied without the inspected "
                                                "members ({} alone do not satisfy it)",
                                                fmt::join(missing, ", ")))
               : std::string("not fenced")));
  }
  const Judgement judged = judgement();
  switch (judged.verdict) {
    case PromotionVerdict::proven:
      lines.push_back(fmt::format(
          "proven: every set of replicas that can have acknowledged a commit has an inspected "
          "member, and no inspected log holds anything acknowledged that {} does not hold",
          candidate_.name));
      break;
    case PromotionVerdict::lesser:
      lines.push_back("to be fetched first: " + judged.reason);
      break;
    case PromotionVerdict::refused:
      lines.push_back("refused: " + judged.reason);
      if (!judged.better.empty()) lines.push_back("promote instead: " + judged.better);
      break;
    case PromotionVerdict::open:
      lines.push_back("open: " + judged.reason);
      break;
  }
  return lines;
}

}  // namespace binlane

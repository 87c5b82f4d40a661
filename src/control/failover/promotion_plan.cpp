#include "control/failover/promotion_plan.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/assert.h"

namespace binlane {
namespace {

ReplicaSet all_members(const PromotionRule& rule) {
  BL_ASSERT(rule.members.size() <= kMaxReplicas);
  return (ReplicaSet{1} << rule.members.size()) - 1;
}

std::vector<std::string> names_of(const PromotionRule& rule, ReplicaSet set) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    if ((set >> i & 1U) != 0) names.push_back(rule.members[i]);
  }
  return names;
}

// The hosts without which no set fences the rule.
ReplicaSet indispensable(const PromotionRule& rule, ReplicaSet others) {
  ReplicaSet needed = 0;
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    const ReplicaSet one = ReplicaSet{1} << i;
    if ((others & one) != 0 && !rule.rule.is_fence_set(all_members(rule) & ~one)) needed |= one;
  }
  return needed;
}

// The smallest number of `others` that is needed in addition to `known`.
int least_more(const PromotionRule& rule, ReplicaSet known, ReplicaSet others) {
  int least = std::popcount(others);
  for (ReplicaSet some = others; some != 0; some = (some - 1) & others) {
    if (rule.rule.is_fence_set(known | some)) least = std::min(least, std::popcount(some));
  }
  return least;
}

std::string rule_line(const PromotionRule& rule, const std::string& candidate) {
  ReplicaSet own = 0;
  for (std::size_t i = 0; i < rule.members.size(); ++i) {
    if (rule.members[i] == candidate) own = ReplicaSet{1} << i;
  }
  const ReplicaSet others = all_members(rule) & ~own;
  if (rule.rule.is_fence_set(own))
    return fmt::format("rule {}: {} alone fences it", rule.text, candidate);
  if (!rule.rule.is_fence_set(all_members(rule)))
    return fmt::format("rule {}: nobody can fence it", rule.text);
  const ReplicaSet needed = indispensable(rule, others);
  const ReplicaSet rest = others & ~needed;
  std::string who = fmt::format("{}", fmt::join(names_of(rule, needed), ", "));
  if (!rule.rule.is_fence_set(own | needed))
    who += fmt::format("{}{} or more of {}", needed == 0 ? "" : ", and ",
                       least_more(rule, own | needed, rest), fmt::join(names_of(rule, rest), ", "));
  return fmt::format("rule {}: besides {} these have to be fenced and inspected: {}", rule.text,
                     candidate, who);
}

}  // namespace

std::vector<std::string> fence_plan(const PromotionLog& log) {
  std::vector<std::string> lines;
  for (const PromotionRule& rule : log.rules) lines.push_back(rule_line(rule, log.name));
  return lines;
}

std::vector<std::string> fence_report(const PromotionLog& log, std::uint32_t term) {
  std::vector<std::string> lines = {fmt::format("{} is fenced: it has promised term {} to nobody, "
                                                "and serves no source of an older term any more",
                                                log.name, term),
                                    "a source that asks this host becomes FENCED. A source that "
                                    "cannot reach it may continue with others:"};
  for (std::string& line : fence_plan(log)) lines.push_back(std::move(line));
  lines.emplace_back(
      "to end this state: binlane promote on a host that has a [source] section, then binlane "
      "rejoin on the old source");
  return lines;
}

std::vector<std::string> promotion_plan(const PromotionLog& candidate, std::uint32_t term,
                                        const std::vector<std::string>& seen) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "dry run: {} (journal {}) would bid for term {} with the stream {} term {}, log of epoch "
      "{}.{} up to {}",
      candidate.name, to_string(candidate.journal_id), term, to_string(candidate.stream.origin),
      candidate.stream.term, candidate.epoch.term, candidate.epoch.incarnation,
      to_string(candidate.end)));
  for (std::string& line : fence_plan(candidate)) lines.push_back(std::move(line));
  lines.insert(lines.end(), seen.begin(), seen.end());
  lines.emplace_back("nothing was changed, and nobody is fenced");
  return lines;
}

}  // namespace binlane

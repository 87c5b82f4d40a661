// Quorum expressions: what is accepted prints to a text that means the same, and the rule behaves
// as a quorum has to.
#include <array>
#include <string>
#include <variant>

#include "control/config/quorum_text.h"
#include "fuzz_target.h"

namespace {

using namespace binlane;

void check(const QuorumRule& rule, std::span<const std::string> names) {
  BL_ASSERT(rule.number == 0 && rule.clause_count > 0 && rule.clause_count <= kMaxClauses);
  const std::string text = to_string(rule, names);
  const auto again = parse_quorum_rule(text, names);
  BL_ASSERT(std::holds_alternative<QuorumRule>(again) && std::get<QuorumRule>(again) == rule);
  BL_ASSERT(to_string(std::get<QuorumRule>(again), names) == text);
  const ReplicaSet members = members_of(rule);
  BL_ASSERT(members != 0 && members >> names.size() == 0);
  BL_ASSERT(rule.satisfied_by(members) && !rule.satisfied_by(0));
  // Each further replica can only help, and one that is no member changes nothing.
  ReplicaSet set = 0;
  bool satisfied = false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    set |= ReplicaSet{1} << i;
    const bool now = rule.satisfied_by(set);
    BL_ASSERT(now || !satisfied);
    BL_ASSERT(now == rule.satisfied_by(set & members));
    satisfied = now;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<std::string, 5> kNames{"r1", "r2", "a-b.c_d", "ANY", "3"};
  fuzz::Input input(data, size);
  const std::size_t count = input.byte() % (kNames.size() + 1);
  const std::span<const std::string> names(kNames.data(), count);
  const std::string text(fuzz::text_of(input.rest()));
  const auto parsed = parse_quorum_rule(text, names);
  if (const auto* const rule = std::get_if<QuorumRule>(&parsed)) {
    check(*rule, names);
  } else {
    const auto& error = std::get<QuorumTextError>(parsed);
    BL_ASSERT(!error.message.empty() && error.offset <= text.size());
  }
  return 0;
}

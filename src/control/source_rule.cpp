// SourceControl, the part that changes the quorum rule (safety rule S4).
//
// A rule in the configuration that differs from the one on record comes into force *beside* it: a
// quorum then needs both. Every session puts the new rule on its replica's record first. Once a set
// of replicas that satisfies both has it, and holds everything that the old rule alone had had
// acknowledged, the new rule covers all there is, and stands alone.

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "control/quorum_text.h"
#include "control/source_control.h"

namespace binlane {
namespace {

// Both rules at once; nothing when that has more clauses than a rule can have.
std::optional<QuorumRule> both(const QuorumRule& old_rule, const QuorumRule& new_rule) {
  QuorumRule rule = new_rule;
  rule.level = std::max(old_rule.level, new_rule.level);
  for (std::uint32_t i = 0; i < old_rule.clause_count; ++i) {
    if (rule.clause_count == kMaxClauses) return std::nullopt;
    rule.clauses[rule.clause_count++] = old_rule.clauses[i];
  }
  return rule;
}

}  // namespace

std::optional<QuorumRule> SourceControl::rule_to_begin_with() {
  const auto names = source_.replica_names();
  const std::string text = to_string(source_.quorum, names);
  RoleState role = role_.state();
  rule_open_ = !role.rule.empty() && role.rule != text && !state_.origin.is_null() &&
               state_.epoch.incarnation > 0;
  if (!rule_open_) {
    // A stream in which nothing was acknowledged yet owes nothing to any other rule.
    role.rule = text;
    if (const int error = role_.store(role); error != 0) {
      refuse(fmt::format("cannot store {}: {}", role_file_path(config_), errno_text(error)));
      return std::nullopt;
    }
    return source_.quorum;
  }
  const auto before = parse_quorum_rule(role.rule, names);
  const auto* const known = std::get_if<QuorumRule>(&before);
  const auto rule = known == nullptr ? std::nullopt : both(*known, source_.quorum);
  if (!rule) {
    refuse(fmt::format(
        "the quorum rule was {} and shall be {}: a change needs all replicas of both until it is "
        "done{}; leave them in the configuration, and take them out afterwards",
        role.rule, text,
        known == nullptr ? fmt::format(" ({})", std::get<QuorumTextError>(before).message)
                         : std::string(" (and fewer clauses)")));
    return std::nullopt;
  }
  rule_must_cover_ = state_.quorum;
  log::warning("rule_changes",
               "the quorum rule was {}, and shall be {}: until that is on record "
               "with a quorum of each, commits need both",
               role.rule, text);
  return rule;
}

void SourceControl::settle_rule(const SourceMarks& marks) {
  if (!rule_open_ || phase_ != Phase::running || !marks.satisfiable ||
      marks.quorum_at < rule_must_cover_)
    return;
  RoleState role = role_.state();
  role.rule = to_string(source_.quorum, source_.replica_names());
  if (const int error = role_.store(role); error != 0) {
    log::error("role_not_stored", "cannot store {}: {}", role_file_path(config_),
               errno_text(error));
    return;
  }
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_rule;
  command.rule = source_.quorum;
  if (!send(command)) return;  // both hold a moment longer
  rule_open_ = false;
  log::warning("rule_changed", "the quorum rule is {} now", role.rule);
}

}  // namespace binlane

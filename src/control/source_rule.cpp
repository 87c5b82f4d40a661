// SourceControl, the part that changes the quorum rule (safety rule S4), at a start or while it
// runs.
//
// A rule in the configuration that differs from the one on record comes into force *beside* it: a
// quorum then needs both. Every session puts the new rule on its replica's record first. Once a set
// of replicas that satisfies both has it, and holds everything that the old rule alone had had
// acknowledged, the new rule covers all there is, and stands alone.

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "control/quorum_text.h"
#include "control/rule_change.h"
#include "control/source_control.h"

namespace binlane {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  return names.empty() ? "nobody" : fmt::format("{}", fmt::join(names, ", "));
}

// Why the replicas that are there cannot satisfy a rule; empty when they can.
std::string unsatisfied_by(const QuorumRule& rule, const std::vector<std::string>& names,
                           const SourceMarks& marks) {
  std::vector<std::string> connected;
  std::vector<std::string> unknown;
  ReplicaSet set = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!marks.replicas[i].connected) continue;
    connected.push_back(names[i]);
    if (rule.level == AckLevel::applied && marks.replicas[i].applied == 0)
      unknown.push_back(names[i]);
    else
      set |= ReplicaSet{1} << i;
  }
  if (rule.satisfied_by(set)) return {};
  std::string problem =
      fmt::format(" cannot be satisfied now: connected {} {}",
                  connected.size() == 1 ? "is only" : "are only", list_of(connected));
  if (!unknown.empty())
    problem += fmt::format(
        ", of which these do not tell what their servers have executed (replica.server_socket is "
        "not set there, or the server does not answer or is far behind): {}",
        list_of(unknown));
  return problem;
}

}  // namespace

std::optional<QuorumRule> SourceControl::rule_to_begin_with() {
  rule_change_.reset();
  const auto names = source_.replica_names();
  const std::string text = to_string(source_.quorum, names);
  RoleState role = role_.state();
  rule_open_ = !role.rule.empty() && role.rule != text && !state_.origin.is_null() &&
               state_.epoch.incarnation > 0;
  if (!rule_open_) {
    // A stream in which nothing was acknowledged yet owes nothing to any other rule.
    role.rule = text;
    if (const int error = role_.store(role); error != 0) {
      guard_.set_unrecorded(true);  // no incarnation can begin
      refuse(fmt::format("cannot store {}: {}", role_file_path(config_), errno_text(error)));
      return std::nullopt;
    }
    return source_.quorum;
  }
  const auto before = parse_quorum_rule(role.rule, names);
  const auto* const known = std::get_if<QuorumRule>(&before);
  const auto rule = known == nullptr ? std::nullopt : both_rules(*known, source_.quorum);
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

// Enable before disable: both rules hold from the next turn of the lane on.
std::string SourceControl::begin_rule_change(const SourceConfig& next) {
  const auto names = source_.replica_names();
  const std::string text = to_string(next.quorum, names);
  if (phase_ != Phase::running) return {};  // the next incarnation begins with both
  if (rule_open_ || desk_->changing_rule())
    return fmt::format("the change to {} is not finished yet; the rule on record is {}",
                       to_string(source_.quorum, names), role_.state().rule);
  const SourceMarks marks = lane_.queues().marks.load();
  if (const std::string problem = unsatisfied_by(next.quorum, names, marks); !problem.empty())
    return text + problem;
  auto rule = both_rules(source_.quorum, next.quorum);
  if (!rule)
    return fmt::format("{} and {} have more than {} clauses together: change it in steps",
                       role_.state().rule, text, kMaxClauses);
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_rule;
  rule->number = ++rule_number_;
  command.rule = *rule;
  if (!send(command)) return "the lane does not take commands; try again";
  rule_change_.emplace(*rule);
  rule_open_ = true;
  desk_->change_rule(text, false);
  log::warning("rule_changes",
               "the quorum rule was {}, and shall be {}: until that is on record with a quorum of "
               "each, commits need both",
               role_.state().rule, text);
  return {};
}

void SourceControl::settle_rule(const SourceMarks& marks) {
  if (!rule_open_ || phase_ != Phase::running) return;
  if (rule_change_) {
    if (!rule_change_->settled(marks, desk_->holders())) return;
  } else if (!marks.satisfiable || marks.quorum_at < rule_must_cover_) {
    return;
  }
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
  command.rule.number = rule_number_ + 1;
  if (!send(command)) return;  // both hold a moment longer
  ++rule_number_;
  rule_open_ = false;
  // The older rule may be forgotten now; a promotion need not prove anything by it any more.
  if (rule_change_) desk_->change_rule(role.rule, true);
  rule_change_.reset();
  log::warning("rule_changed", "the quorum rule is {} now", role.rule);
}

}  // namespace binlane

#include "control/source/rule_keeper.h"

#include <fmt/format.h>

#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/config/quorum_text.h"

namespace binlane {
namespace {

// How often a record that the disk did not take is written again.
constexpr std::uint64_t kRecordAgainNs = 1 * kNanosPerSecond;

std::string list_of(const std::vector<std::string>& names) {
  return names.empty() ? "nobody" : fmt::format("{}", fmt::join(names, ", "));
}

// Why the connected replicas cannot satisfy a rule; empty if they can.
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
        ", of which these do not report what their servers have executed (either "
        "replica.server_socket is not set there, or the server does not answer or lags far "
        "behind): {}",
        list_of(unknown));
  return problem;
}

}  // namespace

Result<QuorumRule> RuleKeeper::begin(const SourceState& before, bool& stored) {
  stored = true;
  const auto names = source_.replica_names();
  const std::string text = to_string(source_.quorum, names);
  RoleState role = role_.state();
  open_ = !role.rule.empty() && role.rule != text && !before.origin.is_null() &&
          before.epoch.incarnation > 0;
  number_ = source_.quorum.number;
  if (!open_) {
    // In a stream in which nothing was acknowledged yet, no other rule has to be covered.
    role.rule = text;
    const int error = role_.store(role);
    stored = error == 0;
    if (!stored)
      return Status::failed(fmt::format("cannot store {}: {}", role_.path(), errno_text(error)));
    return source_.quorum;
  }
  const auto known = parse_quorum_rule(role.rule, names);
  const auto* const old_rule = std::get_if<QuorumRule>(&known);
  const auto rule = old_rule == nullptr ? std::nullopt : both_rules(*old_rule, source_.quorum);
  if (!rule)
    return Status::failed(fmt::format(
        "the quorum rule changes from {} to {}. Until the change is done it needs all replicas of "
        "both rules{}. Keep them in the configuration, and remove them afterwards",
        role.rule, text,
        old_rule == nullptr ? fmt::format(" ({})", std::get<QuorumTextError>(known).message)
                            : std::string(" (and fewer clauses)")));
  must_cover_ = before.quorum;
  number_ = rule->number;
  log::warning(
      "rule_changes",
      "the quorum rule changes from {} to {}. Commits need both rules until the new one is on "
      "record with a quorum of each",
      role.rule, text);
  return *rule;
}

// Both rules hold from the lane's next turn on, before the old one may end.
Status RuleKeeper::change(const QuorumRule& next, LaneHandle& lane, SessionManager& sessions) {
  const auto names = source_.replica_names();
  const std::string text = to_string(next, names);
  if (open_ || sessions.changing_rule())
    return Status::failed(
        fmt::format("the change to {} is not finished yet; the rule on record is {}",
                    to_string(source_.quorum, names), role_.state().rule));
  const SourceMarks marks = lane.queues().marks.load();
  if (const std::string problem = unsatisfied_by(next, names, marks); !problem.empty())
    return Status::failed(text + problem);
  auto rule = both_rules(source_.quorum, next);
  if (!rule)
    return Status::failed(
        fmt::format("{} and {} together have more than {} clauses: change the rule in steps",
                    role_.state().rule, text, kMaxClauses));
  rule->number = number_ + 1;
  if (!lane.proxy().set_rule(*rule))
    return Status::failed("the lane's queue for commands is full; try again");
  ++number_;
  change_.emplace(*rule);
  open_ = true;
  sessions.change_rule(text, false);
  log::warning(
      "rule_changes",
      "the quorum rule changes from {} to {}. Commits need both rules until the new one is on "
      "record with a quorum of each",
      role_.state().rule, text);
  return Status::ok();
}

void RuleKeeper::settle(const SourceMarks& marks, LaneHandle& lane, SessionManager& sessions,
                        std::uint64_t now_ns) {
  BL_ASSERT(open_ || !change_);
  if (!open_ || now_ns < next_record_ns_) return;
  if (change_) {
    if (!change_->settled(marks, sessions.holders())) return;
  } else if (!marks.satisfiable || marks.quorum_at < must_cover_) {
    return;
  }
  RoleState role = role_.state();
  role.rule = to_string(source_.quorum, source_.replica_names());
  if (const int error = role_.store(role); error != 0) {
    next_record_ns_ = now_ns + kRecordAgainNs;
    log::error("role_not_stored",
               "cannot store {}: {}. Until that succeeds, commits need both quorum rules",
               role_.path(), errno_text(error));
    return;
  }
  QuorumRule alone = source_.quorum;
  alone.number = number_ + 1;
  if (!lane.proxy().set_rule(alone)) return;  // both rules remain in force until the next turn
  ++number_;
  open_ = false;
  // The replicas may forget the older rule, and a promotion need not satisfy it any more.
  if (change_) sessions.change_rule(role.rule, true);
  change_.reset();
  log::warning("rule_changed", "the quorum rule is now {}", role.rule);
}

}  // namespace binlane

#include "control/daemon_role.h"

#include <fmt/format.h>

namespace binlane {

using nlohmann::json;

AdminReply ask_promotion(const Config& config, Daemon& daemon, const json& request) {
  const auto found = request.find("replica");
  if (found == request.end() || !found->is_string())
    return AdminError{"replica", "expected the name of the host that is to become the source"};
  if (*found != config.name)
    return AdminError{"replica", fmt::format("this daemon is {}'s; ask the daemon of {}",
                                             config.name, found->get<std::string>())};
  if (daemon.source_control() == nullptr)
    return AdminError{"", "this host has no [source] section: it cannot become a source"};
  const auto dry_run = request.find("dry_run");
  if (dry_run != request.end() && !dry_run->is_boolean())
    return AdminError{"dry_run", "expected true or false"};
  const bool dry = dry_run != request.end() && dry_run->get<bool>();
  if (const std::string problem = daemon.source_control()->ask_promotion(dry); !problem.empty())
    return AdminError{"", problem};
  return json{{"begun", true}};
}

namespace {

json text(const std::string& value) {
  return value.empty() ? json(nullptr) : json(value);
}

}  // namespace

json promotion_status(const Daemon& daemon) {
  if (daemon.source_control() == nullptr) return {{"running", false}, {"step", "NONE"}};
  const SourceControl::View view = daemon.source_control()->view();
  const PromotionRecord& record = view.role.promotion;
  const PromotionView& promotion = view.promotion;
  const bool sealed = !record.sealed_at.is_null();
  return {{"running", promotion.running},
          {"role", to_string(view.role.role)},
          {"step", to_string(record.step)},
          {"term", record.term},
          {"proof", promotion.proof},
          {"refusal", text(promotion.refusal)},
          {"better_candidate", text(promotion.better_candidate)},
          {"waiting_for", text(promotion.waiting_for)},
          {"sealed_stream", sealed ? json(to_string(record.old_stream)) : json(nullptr)},
          {"sealed_at", sealed ? json(to_string(record.sealed_at)) : json(nullptr)},
          {"gtid", text(record.gtid)},
          {"new_start",
           record.new_start.is_null() ? json(nullptr) : json(to_string(record.new_start))}};
}

AdminReply ask_rejoin(Daemon& daemon, const json& request) {
  RejoinOptions options;
  for (const auto& [key, member] :
       {std::pair{"cut", &RejoinOptions::cut}, std::pair{"rebuilt", &RejoinOptions::rebuilt}}) {
    const auto found = request.find(key);
    if (found == request.end()) continue;
    if (!found->is_boolean()) return AdminError{key, "expected true or false"};
    options.*member = found->get<bool>();
  }
  if (daemon.source_control() == nullptr)
    return AdminError{"", "this host has no [source] section: it never was a source"};
  if (const std::string problem = daemon.source_control()->ask_rejoin(options); !problem.empty())
    return AdminError{"", problem};
  return json{{"begun", true}};
}

json rejoin_status(const Daemon& daemon) {
  if (daemon.source_control() == nullptr) return {{"running", false}};
  const SourceControl::View view = daemon.source_control()->view();
  return {{"running", view.rejoin.running},
          {"role", to_string(view.role.role)},
          {"done", view.rejoin.done},
          {"report", view.rejoin.report},
          {"waiting_for", text(view.rejoin.waiting_for)},
          {"diverging_groups", view.rejoin.diverging_groups},
          {"refusal", text(view.rejoin.refusal)}};
}

}  // namespace binlane

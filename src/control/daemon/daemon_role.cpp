#include "control/daemon/daemon_role.h"

#include <fmt/format.h>

#include "control/failover/candidate_log.h"
#include "control/failover/promotion_plan.h"

namespace binlane {

using nlohmann::json;

namespace {

json text(const std::string& value) {
  return value.empty() ? json(nullptr) : json(value);
}

// The member that names the host for which the request is meant: a host's role must not change
// because somebody mistook a socket.
std::optional<AdminError> guard(const Config& config, const json& request, const char* field) {
  const auto found = request.find(field);
  if (found == request.end() || !found->is_string())
    return AdminError{field, "expected the name of this daemon's host, as a guard"};
  if (*found != config.name)
    return AdminError{field, fmt::format("this daemon belongs to host {}; ask the daemon of {}",
                                         config.name, found->get<std::string>())};
  return std::nullopt;
}

}  // namespace

AdminReply request_promotion(const Config& config, Daemon& daemon, const json& request) {
  if (const auto error = guard(config, request, "replica")) return *error;
  if (daemon.source_control() == nullptr)
    return AdminError{
        "",
        "this host has no [source] section: it cannot become a source. A host that may "
        "be promoted has both sections (OPERATIONS, Hosts that may become the source)"};
  const auto dry_run = request.find("dry_run");
  if (dry_run != request.end() && !dry_run->is_boolean())
    return AdminError{"dry_run", "expected true or false"};
  const bool dry = dry_run != request.end() && dry_run->get<bool>();
  const auto live = request.find("from_live_source");
  if (live != request.end() && !live->is_boolean())
    return AdminError{"from_live_source", "expected true or false"};
  const bool from_live = live != request.end() && live->get<bool>();
  const Status begun = daemon.source_control()->request_promotion(dry, from_live);
  if (!begun.is_ok()) return AdminError{"", begun.text()};
  return json{{"begun", true}};
}

json promotion_status(const Daemon& daemon) {
  if (daemon.source_control() == nullptr) return {{"running", false}, {"step", "NONE"}};
  const SourceView view = daemon.source_control()->view();
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

AdminReply request_rejoin(Daemon& daemon, const json& request) {
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
  const Status begun = daemon.source_control()->request_rejoin(options);
  if (!begun.is_ok()) return AdminError{"", begun.text()};
  return json{{"begun", true}};
}

json rejoin_status(const Daemon& daemon) {
  if (daemon.source_control() == nullptr) return {{"running", false}};
  const SourceView view = daemon.source_control()->view();
  return {{"running", view.rejoin.running},
          {"role", to_string(view.role.role)},
          {"done", view.rejoin.done},
          {"report", view.rejoin.report},
          {"waiting_for", text(view.rejoin.waiting_for)},
          {"diverging_groups", view.rejoin.diverging_groups},
          {"refusal", text(view.rejoin.refusal)}};
}

AdminReply fence_host(const Config& config, Daemon& daemon, const json& request) {
  if (const auto error = guard(config, request, "host")) return *error;
  const auto reason = request.find("reason");
  if (reason == request.end() || !reason->is_string() ||
      reason->get_ref<const std::string&>().empty())
    return AdminError{"reason", "expected a text: why it is fenced"};
  if (reason->get_ref<const std::string&>().size() > admin::kMaxFenceReasonBytes)
    return AdminError{"reason", fmt::format("longer than {} bytes", admin::kMaxFenceReasonBytes)};
  const auto kill = request.find("kill_server");
  if (kill != request.end() && !kill->is_boolean())
    return AdminError{"kill_server", "expected true or false"};
  const bool kill_server = kill != request.end() && kill->get<bool>();
  if (kill_server && daemon.source_control() == nullptr)
    return AdminError{"kill_server",
                      "this host has no [source] section, so no client waits at its server"};
  if (daemon.source_control() != nullptr) {
    const auto done =
        daemon.source_control()->request_fence(reason->get<std::string>(), kill_server);
    if (!done.is_ok()) return AdminError{"", done.status().text()};
    return json{
        {"fenced", true}, {"on_record", done.value().on_record}, {"report", done.value().report}};
  }
  const Result<std::uint32_t> term = fence_for_nobody(*daemon.replica());
  if (!term.is_ok()) return AdminError{"", term.status().text()};
  return json{
      {"fenced", true},
      {"on_record", true},
      {"report", fence_report(log_at_a_glance(config.name, *daemon.replica()), term.value())}};
}

AdminReply unfence_host(const Config& config, Daemon& daemon, const json& request) {
  if (const auto error = guard(config, request, "host")) return *error;
  if (daemon.source_control() == nullptr)
    return AdminError{"", "this host has no [source] section: it never was a source"};
  const Status lifted = daemon.source_control()->request_unfence();
  if (!lifted.is_ok()) return AdminError{"", lifted.text()};
  return json{{"fenced", false}};
}

}  // namespace binlane

#include "control/daemon/handlers_daemon.h"

#include <fmt/format.h>

#include "control/config/config_alias.h"
#include "control/daemon/daemon_role.h"
#include "control/daemon/daemon_status.h"
#include "control/daemon/handlers_ledger.h"
#include "control/daemon/verdict_files.h"
#include "control/status/metrics.h"
#include "control/status/stage_report.h"

namespace binlane {
namespace {

using nlohmann::json;

// The member as a text; nothing if it is missing or something else.
std::optional<std::string> text_in(const json& request, const char* name) {
  const auto found = request.find(name);
  if (found == request.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

AdminReply list_variables(const Settings& settings) {
  json rows = json::array();
  for (const Settings::Row& row : settings.list())
    rows.push_back({{"key", row.key},
                    {"value", row.value},
                    {"file_value", row.file_value},
                    {"live", row.live}});
  return json{{"variables", rows}};
}

// MySQL's variables that are no settings of ours; nothing for any other name.
std::optional<AdminReply> set_as_mysql(ControlThread* source, const std::string& key,
                                       const std::string& value) {
  const std::string name = plain_key(key);
  if (name == "rpl_semi_sync_source_enabled" || name == "rpl_semi_sync_master_enabled") {
    if (source == nullptr) return AdminError{key, "this host has no [source] section"};
    const std::string wish = plain_key(value);
    const bool on = wish == "on" || wish == "1" || wish == "true";
    if (!on && wish != "off" && wish != "0" && wish != "false")
      return AdminError{"value", "expected ON or OFF"};
    const std::string problem = (on ? source->request_resume() : source->request_degrade()).text();
    if (!problem.empty()) return AdminError{key, problem};
    return json{{"key", key}, {"value", value}};
  }
  if (name == "rpl_semi_sync_source_wait_for_replica_count" ||
      name == "rpl_semi_sync_master_wait_for_slave_count")
    return AdminError{
        key, "Binlane counts replicas by its quorum rule: binlane quorum set 'ANY 2 (a, b, c)'"};
  if (name == "rpl_semi_sync_source_wait_no_replica" ||
      name == "rpl_semi_sync_master_wait_no_slave")
    return AdminError{key,
                      "remains ON, because Binlane decides when commits go on without a quorum"};
  return std::nullopt;
}

AdminReply set_variable(Settings& settings, ControlThread* source, const json& request) {
  const auto key = text_in(request, "key");
  if (!key) return AdminError{"key", "expected the name of a setting"};
  const auto value = text_in(request, "value");
  if (!value) return AdminError{"value", "expected the new value as a text"};
  if (const auto done = set_as_mysql(source, *key, *value)) return *done;
  if (const auto problem = settings.set(*key, *value))
    return AdminError{problem->field, problem->message};
  return json{{"key", *key}, {"value", *value}};
}

AdminReply reload(Settings& settings) {
  const auto done = settings.reload();
  if (const auto* problem = std::get_if<std::string>(&done))
    return AdminError{"", "nothing was changed: " + *problem};
  const auto& result = std::get<Settings::Reloaded>(done);
  json refused = json::array();
  for (const ConfigProblem& problem : result.refused)
    refused.push_back({{"key", problem.field}, {"reason", problem.message}});
  return json{
      {"changed", result.changed}, {"need_restart", result.need_restart}, {"refused", refused}};
}

AdminReply histograms(const Daemon& daemon, const Settings& settings) {
  const auto config = settings.current();
  if (daemon.stages() == nullptr || !config->source)
    return AdminError{"", "this host has no [source] section"};
  return stage_histograms(*daemon.stages(), config->source->replica_names());
}

AdminReply trace(const Daemon& daemon, const json& request) {
  if (daemon.stages() == nullptr) return AdminError{"", "this host has no [source] section"};
  std::uint64_t last = CommitTracer::kTraced;
  if (const auto found = request.find("last"); found != request.end()) {
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() == 0)
      return AdminError{"last", "expected a number of commit groups"};
    last = found->get<std::uint64_t>();
  }
  return stage_traces(*daemon.stages(), last);
}

// The answer of the source's control thread.
AdminReply done_or(const std::string& problem, json done) {
  if (!problem.empty()) return AdminError{"", problem};
  return done;
}

void register_settings(AdminServer& server, Settings& settings, ControlThread* source) {
  server.on(admin::kVerbVariables,
            [&settings](const json&, const AdminPeer&) { return list_variables(settings); });
  server.on(
      admin::kVerbSet,
      [&settings, source](const json& request, const AdminPeer&) {
        return set_variable(settings, source, request);
      },
      AdminRole::op);
  server.on(
      admin::kVerbReload, [&settings](const json&, const AdminPeer&) { return reload(settings); },
      AdminRole::op);
  server.on(admin::kVerbConfig, [&settings](const json&, const AdminPeer&) -> AdminReply {
    return json{{"text", print_config(*settings.current())}};
  });
}

void register_fallback(AdminServer& server, ControlThread* source) {
  const auto on = [&](const char* verb, auto handler, AdminRole role,
                      AdminPace pace = AdminPace::quick) {
    server.on(
        verb,
        [source, handler](const json& request, const AdminPeer& peer) -> AdminReply {
          if (source == nullptr) return AdminError{"", "this host has no [source] section"};
          return handler(*source, request, peer);
        },
        role, pace);
  };
  on(
      admin::kVerbDegrade,
      [](ControlThread& control, const json&, const AdminPeer&) {
        return done_or(control.request_degrade().text(), {{"degrading", true}});
      },
      AdminRole::op);
  on(
      admin::kVerbResume,
      [](ControlThread& control, const json&, const AdminPeer&) {
        return done_or(control.request_resume().text(), {{"resuming", true}});
      },
      AdminRole::op);
  on(
      admin::kVerbLedger,
      [](ControlThread& control, const json&, const AdminPeer&) { return list_ledger(control); },
      AdminRole::reader);
  on(
      admin::kVerbLedgerGroups,
      [](ControlThread& control, const json& request, const AdminPeer&) {
        return list_ledger_groups(control, request);
      },
      AdminRole::reader, AdminPace::takes_long);
  on(
      admin::kVerbLedgerAck,
      [](ControlThread& control, const json& request, const AdminPeer& peer) {
        return acknowledge_ledger(control, request, peer);
      },
      AdminRole::op_on_record);
}

void register_roles(AdminServer& server, Daemon& daemon, Settings& settings) {
  server.on(
      admin::kVerbPromote,
      [&](const json& request, const AdminPeer&) {
        return request_promotion(*settings.current(), daemon, request);
      },
      AdminRole::op_on_record);
  server.on(admin::kVerbPromotion,
            [&](const json&, const AdminPeer&) -> AdminReply { return promotion_status(daemon); });
  server.on(
      admin::kVerbFence,
      [&](const json& request, const AdminPeer&) {
        return fence_host(*settings.current(), daemon, request);
      },
      AdminRole::op);
  server.on(
      admin::kVerbUnfence,
      [&](const json& request, const AdminPeer&) {
        return unfence_host(*settings.current(), daemon, request);
      },
      AdminRole::op_on_record);
  server.on(
      admin::kVerbRejoin,
      [&](const json& request, const AdminPeer&) { return request_rejoin(daemon, request); },
      AdminRole::op_on_record);
  server.on(admin::kVerbRejoining,
            [&](const json&, const AdminPeer&) -> AdminReply { return rejoin_status(daemon); });
  server.on(
      admin::kVerbVerdict,
      [&](const json& request, const AdminPeer&) {
        return give_verdict(*settings.current(), daemon, request);
      },
      AdminRole::reader, AdminPace::takes_long);
}

}  // namespace

json metrics_status(const Daemon& daemon, const Settings& settings) {
  const auto config = settings.current();
  json status = daemon_status(*config, daemon);
  if (daemon.stages() != nullptr && config->source)
    status["stages"] =
        stage_histograms(*daemon.stages(), config->source->replica_names())["stages"];
  return status;
}

void register_verbs(AdminServer& server, Daemon& daemon, Settings& settings) {
  server.on(admin::kVerbStatus, [&](const json&, const AdminPeer&) -> AdminReply {
    return daemon_status(*settings.current(), daemon);
  });
  server.on(admin::kVerbMetrics, [&](const json&, const AdminPeer&) -> AdminReply {
    return json{{"text", metrics_text(metrics_status(daemon, settings))}};
  });
  server.on(admin::kVerbHistograms,
            [&](const json&, const AdminPeer&) { return histograms(daemon, settings); });
  server.on(admin::kVerbTrace,
            [&](const json& request, const AdminPeer&) { return trace(daemon, request); });
  register_settings(server, settings, daemon.source_control());
  register_fallback(server, daemon.source_control());
  register_roles(server, daemon, settings);
}

}  // namespace binlane

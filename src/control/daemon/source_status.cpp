#include "control/daemon/source_status.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/clock.h"
#include "control/config/quorum_text.h"
#include "control/daemon/status_json.h"
#include "control/fallback/quorum_margin.h"
#include "shim/server/server_words.h"

namespace binlane {
namespace {

using nlohmann::json;

json sender_json(const SenderCounters& counters) {
  return {{"frames", counters.frames},
          {"bytes", counters.bytes},
          {"retransmits", counters.retransmits},
          {"probes", counters.probes},
          {"mark_frames", counters.mark_frames},
          {"acks", counters.acks},
          {"stale_acks", counters.stale_acks},
          {"window_limited", counters.window_limited},
          {"flight_limited", counters.flight_limited}};
}

json replica_of_source_json(const SessionManager::ReplicaView& view, const ReplicaMarks& marks,
                            std::uint64_t written) {
  const auto lag = [&](std::uint64_t mark) {
    return marks.connected && written > mark ? written - mark : 0;
  };
  json row = {{"name", view.name},
              {"connected", marks.connected},
              {"refusal", text_or_null(view.refusal)},
              {"journal_id", view.journal_id ? json(to_string(*view.journal_id)) : json(nullptr)},
              {"sessions", view.sessions},
              {"bytes_cut", view.bytes_cut},
              {"damaged", (marks.state & wire::kStateDamaged) != 0},
              {"learner", (marks.state & wire::kStateLearner) != 0}};
  row["received"] = marks.connected ? position_json(marks.received_at) : json(nullptr);
  row["durable"] = marks.connected ? position_json(marks.durable_at) : json(nullptr);
  row["applied"] = marks.connected ? position_json(marks.applied_at) : json(nullptr);
  if (marks.connected) {
    row["received_lag_bytes"] = lag(marks.received);
    row["durable_lag_bytes"] = lag(marks.durable);
    row["rtt_us"] = to_micros(marks.rtt_ns);
  }
  row["counters"] = sender_json(marks.counters);
  return row;
}

json transition_json(const FallbackTransition& transition) {
  if (transition.at_ns == 0) return nullptr;
  return {{"from", to_string(transition.from)},
          {"to", to_string(transition.to)},
          {"reason", to_string(transition.reason)},
          {"ago_ms", (monotonic_ns() - transition.at_ns) / kNanosPerMilli},
          {"lasted_ms", transition.lasted_ns / kNanosPerMilli},
          {"position", position_json(transition.quorum)}};
}

const char* phase_text(SourcePhase phase) {
  switch (phase) {
    case SourcePhase::looking:
      return "LOOKING";
    case SourcePhase::refused:
      return "REFUSED";
    case SourcePhase::standby:
      return "STANDBY";
    case SourcePhase::promoting:
      return "PROMOTING";
    case SourcePhase::fenced:
      return "FENCED";
    case SourcePhase::running:
      break;
  }
  return "RUNNING";
}

json shown_values(const SemiSyncStatus& server) {
  json values = json::object();
  for (const auto& [name, value] : server.shown) values[name] = value;
  return values;
}

json transitions_json(const SourceView& view) {
  json rows = json::array();
  if (view.transitions == nullptr) return rows;
  for (const LoggedTransition& logged : *view.transitions) {
    json row = transition_json(logged.transition);
    row["at"] = logged.at;
    rows.push_back(std::move(row));
  }
  return rows;
}

json replicas_json(const SourceConfig& config, const SourceView& view) {
  json rows = json::array();
  for (std::size_t i = 0; i < config.replicas.size(); ++i) {
    SessionManager::ReplicaView replica;
    replica.name = config.replicas[i].name;
    if (i < view.replicas.size()) replica = view.replicas[i];
    json row = replica_of_source_json(replica, view.marks.replicas[i], view.marks.written);
    row["zone"] = config.replicas[i].zone;
    row["slow"] = (view.slow >> i & 1U) != 0;
    row["counts"] = (members_of(config.quorum) >> i & 1U) != 0;
    rows.push_back(std::move(row));
  }
  return rows;
}

const char* wait_point_text(WaitPoint point) {
  return point == WaitPoint::after_sync ? "AFTER_SYNC" : "AFTER_COMMIT";
}

json server_json(const SourceView& view) {
  const SemiSyncStatus& server = view.server;
  return {{"version", view.server_version},
          {"status_on", server.status_on},
          {"enabled", server.enabled},
          {"read_only", server.read_only},
          {"clients", server.clients},
          {"counted", words_of(flavour_of(view.server_version)).counted},
          {"yes_tx", server.yes_tx},
          {"no_tx", server.no_tx},
          {"no_times", server.no_times},
          {"get_ack", server.get_ack},
          {"timeout_ms", server.timeout_ms},
          {"wait_point", wait_point_text(server.wait_point)},
          {"wait_no_replica", server.wait_no_replica},
          {"wait_sessions", server.wait_sessions},
          {"status_values", shown_values(server)}};
}

json dump_json(const DrainStatus& drain) {
  return {{"state", to_string(drain.state)},
          {"problem", text_or_null(drain.reason)},
          {"start", position_json(drain.start)},
          {"position", position_json(drain.position)},
          {"connections", drain.connections},
          {"kicked_out", drain.kicked_out},
          {"events", drain.events},
          {"acks_wanted", drain.acks_wanted}};
}

json ledger_json(const SourceView& view) {
  return {{"entries", view.ledger.entries},
          {"open", view.ledger.open},
          {"exposed_groups", view.ledger.exposed_groups},
          {"uncountable", view.ledger.uncountable},
          {"unacknowledged", view.ledger.unacknowledged},
          {"bytes", view.ledger.bytes},
          {"failure", text_or_null(view.ledger_failure)}};
}

// How the lane reads the binlog: at its end, and again for a replica that lacks older bytes.
json binlog_json(const BinlogCounters& counters) {
  const TailCounters& tail = counters.tail;
  const ReaderCounters& reader = counters.reader;
  return {{"bytes", tail.bytes},
          {"reads", tail.reads},
          {"files_ended", tail.files_ended},
          {"probes", tail.probes},
          {"unproven_files", tail.unproven_files},
          {"heads_awaited", tail.heads_awaited},
          {"window_bytes", reader.window_bytes},
          {"file_bytes", reader.file_bytes},
          {"files_opened", reader.files_opened},
          {"read_failures", reader.failures}};
}

std::uint64_t times_full(const std::vector<QueueCount>& queues, std::string_view name) {
  for (const QueueCount& count : queues) {
    if (count.queue == name) return count.times_full;
  }
  return 0;
}

json source_counters_json(const SourceView& view) {
  const FallbackCounters& counters = view.counters;
  return {{"degrades", counters.degrades},
          {"recoveries", counters.recoveries},
          {"transitions", counters.transitions},
          {"server_releases", counters.server_releases},
          {"other_ackers", counters.other_ackers},
          {"server_restarts", counters.server_restarts},
          {"blocked", counters.blocked},
          {"holds", counters.holds},
          {"read_only_failures", counters.read_only_failures},
          {"replicas_turned_slow", view.slow_times},
          {"incarnations", view.incarnations},
          {"polls", view.polls},
          {"polls_failed", view.polls_failed},
          {"settings_mended", view.settings_mended},
          {"foreign_datagrams", view.marks.frame_faults},
          {"unknown_peers", view.marks.unknown_peers},
          {"unknown_frames", view.marks.unknown_frames},
          {"lane_stands", view.lane_stands},
          {"events_lost", times_full(view.queues, "source_events")},
          {"hellos_lost", view.marks.hellos_lost}};
}

// What is in force, which a person may have changed since the start.
void add_settings(json& out, const SourceConfig& config, const SourceView& view) {
  const std::string rule = to_string(config.quorum, config.replica_names());
  out["rule"] = config.quorum_text;
  // A change ends when replicas forget the older rule, which is in force no more.
  const bool both = view.rule_open && !view.rule_before.empty() && view.rule_before != rule;
  out["rule_in_force"] = both ? view.rule_before + " AND " + rule : rule;
  out["rule_changing"] = view.rule_open;
  out["quorum_margin"] = quorum_margin(config.quorum, view.marks);
  out["wait_point"] = wait_point_text(config.wait_point);
  out["fallback"] = to_string(config.fallback);
  out["other_ackers_rule"] = to_string(config.other_ackers);
  out["timeout_ms"] = config.timeout_ms;
  out["server_timeout_ms"] = config.effective_server_timeout_ms();
}

void add_state(json& out, const SourceView& view) {
  const bool running = view.phase == SourcePhase::running;
  out["running"] = running;
  out["state"] = running ? to_string(view.state) : phase_text(view.phase);
  out["problem"] = text_or_null(view.problem);
  out["role"] = to_string(view.role.role);
  out["fenced_by"] = view.role.fenced_by;
  out["fence_reason"] = text_or_null(view.role.fence_reason);
  out["role_on_record"] = view.role_on_record;
  out["write_problem"] = text_or_null(view.write_problem);
  out["blocked"] = view.blocked;
  out["held"] = view.held;
  out["read_only"] = view.read_only;
  out["other_ackers"] = view.other_ackers;
  out["newest_binlog"] = view.newest_binlog;
  out["oldest_wait_ms"] = view.oldest_wait_ns / kNanosPerMilli;
  out["recover_hold_ms"] = view.recover_hold_ns / kNanosPerMilli;
  out["state_since_ms"] = nullptr;
  if (view.state_since_ns != 0)
    out["state_since_ms"] = (monotonic_ns() - view.state_since_ns) / kNanosPerMilli;
  out["transitions"] = transitions_json(view);
  out["last_transition"] = transition_json(view.last_transition);
}

}  // namespace

json source_json(const SourceConfig& config, const SourceView& view) {
  const SourceMarks& marks = view.marks;
  json out = {{"epoch", epoch_text(view.epoch)},
              {"stream", to_string(view.origin)},
              {"basename", view.basename},
              {"written", position_json(marks.written_at)},
              {"synced", position_json(marks.synced_at)},
              {"quorum", position_json(marks.quorum_at)},
              {"released", position_json(marks.released_at)},
              {"quorum_connected", marks.satisfiable},
              {"unknown_peer", unknown_peer_json(marks.unknown_peers, marks.unknown_peer)},
              {"replicas", replicas_json(config, view)},
              {"server", server_json(view)},
              {"dump", dump_json(view.drain)},
              {"ledger", ledger_json(view)},
              {"queues", queues_json(view.queues)},
              {"binlog", binlog_json(view.binlog)},
              {"counters", source_counters_json(view)}};
  add_settings(out, config, view);
  add_state(out, view);
  return out;
}

}  // namespace binlane

#include "control/daemon_status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "control/config_value.h"
#include "control/peer_config.h"
#include "control/problem_finder.h"
#include "control/quorum_margin.h"
#include "control/quorum_text.h"

namespace binlane {
namespace {

using nlohmann::json;

json position_json(const Position& position) {
  if (position.is_null()) return nullptr;
  return {{"file", position.file}, {"offset", position.offset}};
}

std::string epoch_text(const Epoch& epoch) {
  return fmt::format("{}.{}", epoch.term, epoch.incarnation);
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

// The last address whose datagrams were dropped because it is no peer's.
json unknown_peer_json(std::uint64_t count, const Endpoint& last) {
  return count == 0 ? json(nullptr) : json(endpoint_text(last));
}

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

json receiver_json(const ReceiverCounters& counters) {
  return {{"frames", counters.frames},
          {"bytes", counters.bytes},
          {"duplicates", counters.duplicates},
          {"out_of_order", counters.out_of_order},
          {"stale", counters.stale},
          {"malformed", counters.malformed},
          {"dropped_no_room", counters.dropped_no_room},
          {"dropped_no_slot", counters.dropped_no_slot},
          {"acks", counters.acks},
          {"ack_repeats", counters.ack_repeats}};
}

json replica_of_source_json(const HandshakeDesk::ReplicaView& view, const ReplicaMarks& marks,
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
    row["rtt_us"] = static_cast<double>(marks.rtt_ns) / static_cast<double>(kNanosPerMicro);
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

const char* phase_text(SourceControl::Phase phase) {
  switch (phase) {
    case SourceControl::Phase::looking:
      return "LOOKING";
    case SourceControl::Phase::refused:
      return "REFUSED";
    case SourceControl::Phase::standby:
      return "STANDBY";
    case SourceControl::Phase::promoting:
      return "PROMOTING";
    case SourceControl::Phase::fenced:
      return "FENCED";
    case SourceControl::Phase::running:
      break;
  }
  return "RUNNING";
}

json shown_values(const SemiSyncStatus& server) {
  json values = json::object();
  for (const auto& [name, value] : server.shown) values[name] = value;
  return values;
}

json transitions_json(const SourceControl::View& view) {
  json rows = json::array();
  if (view.transitions == nullptr) return rows;
  for (const SourceControl::LoggedTransition& logged : *view.transitions) {
    json row = transition_json(logged.transition);
    row["at"] = logged.at;
    rows.push_back(std::move(row));
  }
  return rows;
}

json replicas_json(const SourceConfig& config, const SourceControl::View& view) {
  json rows = json::array();
  for (std::size_t i = 0; i < config.replicas.size(); ++i) {
    HandshakeDesk::ReplicaView replica;
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

json server_json(const SourceControl::View& view) {
  const SemiSyncStatus& server = view.server;
  return {{"version", view.server_version},
          {"status_on", server.status_on},
          {"enabled", server.enabled},
          {"read_only", server.read_only},
          {"clients", server.clients},
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

json ledger_json(const SourceControl::View& view) {
  return {{"entries", view.ledger.entries},
          {"open", view.ledger.open},
          {"exposed_groups", view.ledger.exposed_groups},
          {"uncountable", view.ledger.uncountable},
          {"unacknowledged", view.ledger.unacknowledged},
          {"bytes", view.ledger.bytes},
          {"failure", text_or_null(view.ledger_failure)}};
}

json source_counters_json(const SourceControl::View& view) {
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
          {"events_lost", view.marks.events_lost},
          {"hellos_lost", view.marks.hellos_lost}};
}

// What is in force, which a person may have changed since the start.
void add_settings(json& out, const SourceConfig& config, const SourceControl::View& view) {
  const std::string rule = to_string(config.quorum, config.replica_names());
  out["rule"] = config.quorum_text;
  // The end of a change is that replicas forget the older rule, which is in force no more.
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

void add_state(json& out, const SourceControl::View& view) {
  const bool running = view.phase == SourceControl::Phase::running;
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

json source_json(const SourceConfig& config, const SourceControl::View& view) {
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
              {"counters", source_counters_json(view)}};
  add_settings(out, config, view);
  add_state(out, view);
  return out;
}

json feed_json(const FeedStatus& feed) {
  json clients = json::array();
  for (const FeedClientStatus& client : feed.clients)
    clients.push_back({{"address", client.address},
                       {"server_id", client.server_id},
                       {"dumping", client.dumping},
                       {"by_gtid", client.by_gtid},
                       {"ahead", client.ahead},
                       {"position", position_json(client.position)}});
  return {{"listening", feed.listening},
          {"problem", text_or_null(feed.problem)},
          {"clients", clients},
          {"accepted", feed.accepted},
          {"refused_logins", feed.refused_logins},
          {"dropped_logins", feed.dropped_logins},
          {"dumps", feed.dumps},
          {"refused_dumps", feed.refused_dumps},
          {"events", feed.events},
          {"bytes", feed.bytes},
          {"restarts", feed.restarts},
          {"gap", text_or_null(feed.gap)},
          {"last_error", text_or_null(feed.last_error)}};
}

json sealed_json(const std::vector<SealedStream>& streams) {
  json rows = json::array();
  for (const SealedStream& sealed : streams)
    rows.push_back({{"stream", to_string(sealed.stream)}, {"end", position_json(sealed.end)}});
  return rows;
}

json exposures_json(const ExposureState& state) {
  json rows = json::array();
  for (const Exposure& exposure : state.exposures)
    rows.push_back(
        {{"id", exposure.id},
         {"epoch", epoch_text(exposure.epoch)},
         {"from", position_json(exposure.from)},
         {"to", exposure.to ? position_json(*exposure.to) : json(nullptr)},
         {"groups", exposure.groups == kUncountedGroups ? json(nullptr) : json(exposure.groups)}});
  return rows;
}

json divergence_json(const ReplicaControl::View& view) {
  const auto& divergence = view.exposures.divergence;
  if (!divergence) return nullptr;
  return {{"term", divergence->term},
          {"sealed_at", position_json(divergence->sealed_at)},
          {"reached", position_json(divergence->reached)},
          {"groups", divergence->groups},
          {"named", view.diverged_groups}};
}

// Whom the replica hears, and where it is said.
json sources_json(const ReplicaSources& sources) {
  json heard = json::array();
  for (std::size_t i = 0; i < sources.peers.size(); ++i)
    heard.push_back(peer_text(sources.peers.at(i)));
  return {{"from", to_string(sources.from)}, {"heard", std::move(heard)}};
}

json retention_json(const ArchivePruner::View& view) {
  return {{"files", view.files},
          {"bytes", view.bytes},
          {"free_bytes", view.free_bytes ? json(*view.free_bytes) : json(nullptr)},
          {"days_left", view.days_left ? json(*view.days_left) : json(nullptr)},
          {"removed_files", view.removed_files},
          {"removed_bytes", view.removed_bytes},
          {"failures", view.failures},
          {"failure", text_or_null(view.failure)},
          {"kept_because", to_string(view.kept)},
          {"over_limit", view.over_limit},
          {"nearly_full", view.nearly_full}};
}

json replica_json(const StatusSight& whole) {
  const ReplicaSight& sight = *whole.host.replica;
  const ReplicaControl::View& view = sight.control;
  const ArchiverStatus& archive = sight.archive;
  const ReplicaLaneMarks& marks = view.marks;
  return {
      {"at_work", replica_at_work(whole.host)},
      {"connected", marks.connected && !view.away},
      {"away", view.away},
      {"last_heard_ms", marks.connected ? json(view.silent_ns / kNanosPerMilli) : json(nullptr)},
      {"state", view.exposures.divergence ? "DIVERGED" : "FOLLOWING"},
      {"diverged", divergence_json(view)},
      {"exposed", exposures_json(view.exposures)},
      {"exposed_total", view.exposures.total},
      {"source", text_or_null(view.source_name)},
      {"sources", sources_json(sight.sources)},
      {"unknown_peer", unknown_peer_json(marks.unknown_peers, marks.unknown_peer)},
      {"refusal", text_or_null(view.refusal)},
      {"stream", view.stream.is_null() ? json(nullptr) : json(to_string(view.stream))},
      {"journal_id", to_string(view.journal_id)},
      {"promise",
       {{"term", view.promise.term},
        {"candidate", view.promise.candidate.is_null() ? json(nullptr)
                                                       : json(to_string(view.promise.candidate))}}},
      {"rules", view.rules},
      {"sealed", sealed_json(view.sealed)},
      {"archive_folder", whole.archive_folder},
      {"learner_until", position_json(view.learner_until.position)},
      {"epoch", epoch_text(marks.epoch)},
      {"received", position_json(marks.received)},
      {"durable", position_json(marks.durable)},
      {"released", position_json(marks.released)},
      {"archived", position_json(archive.end)},
      {"archived_durable", position_json(archive.durable)},
      {"archive",
       {{"syncs", archive.syncs},
        {"disk_full_count", archive.disk_full_count},
        {"waits_for_room", archive.waits_for_room},
        {"failure", text_or_null(archive.failure)},
        {"retention", retention_json(sight.retention)}}},
      {"journal",
       {{"blocks", marks.block_count},
        {"free_blocks", marks.free_blocks},
        {"writes", marks.writes},
        {"disk", whole.journal_disk},
        {"failure", marks.failure == 0 ? json(nullptr) : json(errno_text(marks.failure))},
        {"damaged_until", position_json(view.damaged_until.position)}}},
      {"journal_free_blocks", marks.free_blocks},
      {"counters",
       {{"exposures_not_recorded", view.exposure_failures},
        {"hellos", view.hellos},
        {"hellos_refused", view.hellos_refused},
        {"hellos_foreign", view.hellos_foreign},
        {"hellos_not_bound", view.hellos_not_bound},
        {"promises_put_off", view.promises_put_off},
        {"foreign_datagrams", marks.frame_faults},
        {"unknown_peers", marks.unknown_peers},
        {"unknown_frames", marks.unknown_frames},
        {"hellos_lost", marks.hellos_lost},
        {"receiver", receiver_json(marks.receiver)}}},
      {"feed", feed_json(sight.feed)}};
}

json problems_json(const std::vector<Problem>& problems) {
  json rows = json::array();
  for (const Problem& problem : problems)
    rows.push_back({{"code", kind_of(problem.code).name},
                    {"severity", to_string(problem.severity)},
                    {"text", problem.text}});
  return rows;
}

json ports_json(const std::vector<Daemon::PortView>& views) {
  json ports = json::array();
  for (const Daemon::PortView& port : views) {
    const PortCounters& counters = port.counters;
    json row = {{"port", port.spec},
                {"section", port.section},
                {"address", text_or_null(port.address)},
                {"attached", port.attached},
                {"problem", text_or_null(port.problem)},
                {"rx_packets", counters.rx_packets},
                {"rx_bytes", counters.rx_bytes},
                {"rx_foreign", counters.rx_foreign},
                {"tx_packets", counters.tx_packets},
                {"tx_bytes", counters.tx_bytes},
                {"tx_no_buffer", counters.tx_no_buffer},
                {"tx_dropped", counters.tx_dropped},
                {"tx_unresolved", counters.tx_unresolved}};
    if (port.faults.seen > 0)
      row["faults"] = {{"seen", port.faults.seen},
                       {"lost", port.faults.lost},
                       {"duplicated", port.faults.duplicated},
                       {"reordered", port.faults.reordered},
                       {"corrupted", port.faults.corrupted}};
    ports.push_back(std::move(row));
  }
  return ports;
}

}  // namespace

json status_json(const StatusSight& sight) {
  json status = {{"name", sight.name},
                 {"cluster", sight.cluster},
                 {"problems", problems_json(find_problems(sight.host))},
                 {"ports", ports_json(sight.ports)},
                 {"data_dir",
                  {{"free_bytes",
                    sight.data_dir_free_bytes ? json(*sight.data_dir_free_bytes) : json(nullptr)},
                   {"audit_bytes", sight.audit_bytes}}},
                 {"lane_turns", sight.lane_turns}};
  if (sight.host.source != nullptr)
    status["source"] = source_json(*sight.host.source_config, *sight.host.source);
  if (sight.host.replica != nullptr) status["replica"] = replica_json(sight);
  return status;
}

json daemon_status(const Config& config, const Daemon& daemon) {
  StatusSight sight{config.name,
                    config.cluster,
                    {},
                    daemon.ports(),
                    daemon.lane_turns(),
                    {},
                    {},
                    ArchiveIo().free_bytes(config.data_dir),
                    daemon.audit().bytes()};
  std::optional<SourceControl::View> source;
  std::optional<ReplicaSight> replica;
  if (daemon.source() != nullptr) {
    source = daemon.source()->view();
    // As it is in force; before the first turn, as it was read.
    sight.host.source_config =
        source->config != nullptr ? &*source->config->source : &*config.source;
    sight.host.source = &*source;
  }
  if (daemon.replica() != nullptr) {
    const auto parts = daemon.replica()->parts();
    replica = ReplicaSight{daemon.replica()->control().view(), parts->archiver->status(),
                           parts->feed->status(), daemon.replica()->retention(),
                           daemon.replica()->sources()};
    sight.host.replica = &*replica;
    sight.archive_folder = parts->folder;
    sight.journal_disk = daemon.replica()->describe_disk();
  }
  for (const Daemon::PortView& port : sight.ports)
    sight.host.ports.push_back({port.spec, port.attached, port.problem});
  for (const ThreadSilence& thread : daemon.threads().threads) {
    if (thread.silent_ns >= Watchdog::kThreadShownNs)
      sight.host.stuck.push_back({thread.name, thread.silent_ns / kNanosPerMilli});
  }
  sight.host.audit_failure = daemon.audit().failure();
  return status_json(sight);
}

}  // namespace binlane

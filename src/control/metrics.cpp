#include "control/metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "control/json_view.h"
#include "control/problems.h"

namespace binlane {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kMillisecond = 1e-3;
constexpr double kMicrosecond = 1e-6;

// One metric: where its value stands in the status, and by what it is multiplied to be in base
// units.
struct Row {
  const char* name;
  MetricType type;
  const char* help;
  const char* path;  // JSON pointer
  double factor = 1;
};

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;

// While the stream runs: of a standby or a fenced host they would say that its quorum is gone.
constexpr Row kRunningRows[] = {
    {"binlane_quorum_connected", kGauge, "1 while the connected replicas can satisfy the rule.",
     "/quorum_connected"},
    {"binlane_quorum_margin", kGauge,
     "Replicas that may still be lost before no quorum is left; -1: there is none.",
     "/quorum_margin"},
};

constexpr Row kSourceRows[] = {
    {"binlane_rule_changing", kGauge, "1 while a change of the quorum rule is under way.",
     "/rule_changing"},
    {"binlane_blocked", kGauge, "1 while commits wait beyond the timeout and are not released.",
     "/blocked"},
    {"binlane_held", kGauge, "1 while semi-sync is off because somebody wanted it so.", "/held"},
    {"binlane_other_ackers", kGauge,
     "Semi-sync clients of the server besides Binlane, which release commits too.",
     "/other_ackers"},
    {"binlane_newest_binlog", kGauge, "Number of the server's newest binlog file.",
     "/newest_binlog"},
    {"binlane_read_only", kGauge,
     "1 while Binlane has made the server read-only, and the server says that it is.",
     "/read_only"},
    {"binlane_timeout_seconds", kGauge, "How long a commit waits for the quorum.", "/timeout_ms",
     kMillisecond},
    {"binlane_oldest_wait_seconds", kGauge, "How long the oldest waiting commit has waited.",
     "/oldest_wait_ms", kMillisecond},
    {"binlane_state_age_seconds", kGauge, "How long the state has lasted.", "/state_since_ms",
     kMillisecond},
    {"binlane_ledger_intervals_total", kCounter, "Intervals ever opened in the ledger.",
     "/ledger/entries"},
    {"binlane_ledger_bytes", kGauge, "Length of the ledger.", "/ledger/bytes"},
    {"binlane_ledger_open_intervals", kGauge, "Intervals that no quorum covers yet.",
     "/ledger/open"},
    {"binlane_ledger_unacknowledged_intervals", kGauge,
     "Intervals that no person has acknowledged (binlane ledger ack).", "/ledger/unacknowledged"},
    {"binlane_exposed_transactions_total", kCounter,
     "Transactions released without a quorum, in closed intervals.", "/ledger/exposed_groups"},
    {"binlane_transitions_total", kCounter, "Changes of the state.", "/counters/transitions"},
    {"binlane_degrades_total", kCounter, "Times Binlane switched semi-sync off.",
     "/counters/degrades"},
    {"binlane_recoveries_total", kCounter, "Times semi-sync came back.", "/counters/recoveries"},
    {"binlane_holds_total", kCounter, "Times commits waited beyond the timeout in mode block.",
     "/counters/holds"},
    {"binlane_foreign_ackers_total", kCounter,
     "Times somebody besides Binlane began to acknowledge commits.", "/counters/other_ackers"},
    {"binlane_server_releases_total", kCounter,
     "Releases by the server itself: its timeout, a KILL, a restart, an operator.",
     "/counters/server_releases"},
    {"binlane_server_restarts_total", kCounter, "Restarts of the server.",
     "/counters/server_restarts"},
    {"binlane_source_unknown_peers_total", kCounter,
     "Datagrams to the source's ports from addresses that are no replica's, dropped unread.",
     "/counters/unknown_peers"},
    {"binlane_incarnations_total", kCounter, "Beginnings of the stream since binlaned started.",
     "/counters/incarnations"},
    {"binlane_server_polls_total", kCounter, "Looks at the server's status.", "/counters/polls"},
    {"binlane_server_polls_failed_total", kCounter, "Looks that failed.", "/counters/polls_failed"},
    {"binlane_server_settings_mended_total", kCounter,
     "Times a setting of the server that somebody had changed was set back.",
     "/counters/settings_mended"},
};

constexpr Row kPeerRows[] = {
    {"binlane_replica_connected", kGauge, "1 while the replica is in session.", "/connected"},
    {"binlane_replica_slow", kGauge, "1 while it keeps commits waiting that others have.", "/slow"},
    {"binlane_replica_damaged", kGauge, "1 while its journal has unrepaired damage.", "/damaged"},
    {"binlane_replica_learner", kGauge, "1 while it counts in no proof of a promotion yet.",
     "/learner"},
    {"binlane_replica_received_lag_bytes", kGauge, "Binlog bytes it has not received.",
     "/received_lag_bytes"},
    {"binlane_replica_durable_lag_bytes", kGauge, "Binlog bytes it has not on stable storage.",
     "/durable_lag_bytes"},
    {"binlane_replica_round_trip_seconds", kGauge, "Smoothed network round trip.", "/rtt_us",
     kMicrosecond},
    {"binlane_replica_sessions_total", kCounter, "Sessions begun.", "/sessions"},
    {"binlane_replica_frames_total", kCounter, "Frames sent in this session.", "/counters/frames"},
    {"binlane_replica_sent_bytes_total", kCounter, "Binlog bytes sent in this session.",
     "/counters/bytes"},
    {"binlane_replica_retransmits_total", kCounter, "Frames sent again.", "/counters/retransmits"},
    {"binlane_replica_acks_total", kCounter, "Acknowledgements received.", "/counters/acks"},
};

// While the host is a replica: a source's own replica's side has no source.
constexpr Row kFollowingRows[] = {
    {"binlane_source_connected", kGauge, "1 while this replica is in session with its source.",
     "/connected"},
    {"binlane_source_last_heard_seconds", kGauge,
     "Since when nothing was heard of the source of the session.", "/last_heard_ms", kMillisecond},
};

constexpr Row kReplicaRows[] = {
    {"binlane_replica_unknown_peers_total", kCounter,
     "Datagrams to the replica's port from addresses that may not be a source, dropped unread.",
     "/counters/unknown_peers"},
    {"binlane_hellos_not_bound_total", kCounter,
     "HELLOs that were to be repeated: they named no answer of this process.",
     "/counters/hellos_not_bound"},
    {"binlane_promises_put_off_total", kCounter,
     "Promises that were wanted sooner than one a second is given.", "/counters/promises_put_off"},
    {"binlane_journal_blocks", kGauge, "Blocks of the journal's ring.", "/journal/blocks"},
    {"binlane_journal_free_blocks", kGauge, "Blocks that are free.", "/journal/free_blocks"},
    {"binlane_journal_writes_total", kCounter, "Durable writes.", "/journal/writes"},
    {"binlane_archive_syncs_total", kCounter, "Syncs of the archive.", "/archive/syncs"},
    {"binlane_archive_disk_full_total", kCounter, "Times the archive's disk was full.",
     "/archive/disk_full_count"},
    {"binlane_archive_files", kGauge, "Archived binlog files.", "/archive/retention/files"},
    {"binlane_archive_bytes", kGauge, "Bytes of the archived binlog files.",
     "/archive/retention/bytes"},
    {"binlane_archive_free_bytes", kGauge, "Room on the archive's file system.",
     "/archive/retention/free_bytes"},
    {"binlane_archive_days_left", kGauge,
     "Days until that is full at the present growth, if nothing is deleted.",
     "/archive/retention/days_left"},
    {"binlane_archive_deleted_files_total", kCounter, "Archived files deleted.",
     "/archive/retention/removed_files"},
    {"binlane_archive_delete_failures_total", kCounter, "Archived files that could not be deleted.",
     "/archive/retention/failures"},
    {"binlane_feed_events_total", kCounter, "Events fed to the local server.", "/feed/events"},
    {"binlane_feed_sent_bytes_total", kCounter, "Bytes fed to the local server.", "/feed/bytes"},
};

constexpr Row kDaemonRows[] = {
    {"binlane_data_dir_free_bytes", kGauge, "Room on the file system of data_dir.",
     "/data_dir/free_bytes"},
    {"binlane_audit_bytes", kGauge, "Length of the audit log.", "/data_dir/audit_bytes"},
};

constexpr Row kPortRows[] = {
    {"binlane_port_attached", kGauge, "1 while the port's device is there.", "/attached"},
    {"binlane_port_received_packets_total", kCounter, "Packets received.", "/rx_packets"},
    {"binlane_port_sent_packets_total", kCounter, "Packets sent.", "/tx_packets"},
    {"binlane_port_dropped_packets_total", kCounter, "Packets the device did not take.",
     "/tx_dropped"},
};

constexpr std::array<const char*, 10> kStates = {
    "STARTING", "ASYNC",   "CATCHING_UP", "SEMISYNC",  "FENCED",
    "STANDBY",  "REFUSED", "LOOKING",     "PROMOTING", "FOREIGN_ACKER"};

ClientMetric sample(double value, MetricType type, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (type == MetricType::Counter)
    metric.counter.value = value;
  else if (type == MetricType::Gauge)
    metric.gauge.value = value;
  else
    metric.untyped.value = value;
  return metric;
}

ClientMetric::Label label(const char* name, std::string value) {
  ClientMetric::Label made;
  made.name = name;
  made.value = std::move(value);
  return made;
}

// A number, or a truth as 1 or 0; nothing else is a sample. Null is what is not known now; anything
// else in its place is a mistake of this table, which a LookupWatch is told of.
bool value_at(const json& object, const Row& row, double& value) {
  const json::json_pointer pointer(row.path);
  if (!object.contains(pointer)) {
    note_miss(row.name, row.path);
    return false;
  }
  const json& found = object.at(pointer);
  if (found.is_boolean())
    value = found.get<bool>() ? 1 : 0;
  else if (found.is_number())
    value = found.get<double>() * row.factor;
  else {
    if (!found.is_null()) note_miss(row.name, row.path);
    return false;
  }
  return true;
}

// One family a row, with a sample for each object.
template <std::size_t N>
void add(std::vector<MetricFamily>& all, const Row (&rows)[N],
         const std::vector<std::pair<const json*, std::vector<ClientMetric::Label>>>& objects) {
  for (const Row& row : rows) {
    MetricFamily family{row.name, row.help, row.type, {}};
    for (const auto& [object, labels] : objects) {
      double value = 0;
      if (value_at(*object, row, value)) family.metric.push_back(sample(value, row.type, labels));
    }
    if (!family.metric.empty()) all.push_back(std::move(family));
  }
}

// One sample a state, 1 for the one it is in: so that a change is visible in a graph.
void add_state(std::vector<MetricFamily>& all, const json& source) {
  MetricFamily family{"binlane_state", "1 for the state that the source is in.", kGauge, {}};
  const std::string now = source.value("state", "");
  for (const char* state : kStates)
    family.metric.push_back(sample(now == state ? 1 : 0, kGauge, {label("state", state)}));
  all.push_back(std::move(family));
}

// The engine says SEMISYNC or FOREIGN_ACKER exactly where the server waits; anything else has to be
// looked at.
void add_disagreement(std::vector<MetricFamily>& all, const json& source) {
  const std::string state = source.value("state", "");
  const bool engine = state == "SEMISYNC" || state == "FOREIGN_ACKER";
  const json server = source.value("server", json::object());
  const bool waits = server.value("status_on", false) && server.value("enabled", false);
  MetricFamily family{"binlane_server_disagrees",
                      "1 while the server's semi-sync status is not what Binlane's state says.",
                      kGauge,
                      {}};
  family.metric.push_back(sample(engine != waits ? 1 : 0, kGauge));
  all.push_back(std::move(family));
}

// Each problem that there is in words, as 1 or 0, so that an alert ends when its problem does. And
// the same of our own files, by file.
void add_problems(std::vector<MetricFamily>& all, const json& status) {
  const auto found = status.find("problems");
  if (found == status.end()) return;
  MetricFamily problem{"binlane_problem", "1 while the host has this problem.", kGauge, {}};
  MetricFamily failed{
      "binlane_failed", "1 while this file of Binlane's cannot be written.", kGauge, {}};
  for (const ProblemKind& kind : problem_kinds()) {
    const bool there = std::any_of(found->begin(), found->end(), [&](const json& listed) {
      return listed.value("code", "") == kind.name;
    });
    problem.metric.push_back(
        sample(there ? 1 : 0, kGauge,
               {label("code", kind.name), label("severity", to_string(kind.severity))}));
    if (kind.part != nullptr)
      failed.metric.push_back(sample(there ? 1 : 0, kGauge, {label("part", kind.part)}));
  }
  all.push_back(std::move(problem));
  all.push_back(std::move(failed));
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// What mysqld_exporter calls them, in both generations of words.
void add_mysql_names(std::vector<MetricFamily>& all, const json& source) {
  const json server = source.value("server", json::object());
  const json values = server.value("status_values", json::object());
  for (const auto& [name, value] : values.items()) {
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    char* end = nullptr;
    double number = std::strtod(text.c_str(), &end);
    if (text == "ON" || text == "OFF")
      number = text == "ON" ? 1 : 0;
    else if (text.empty() || *end != '\0')
      continue;
    std::string lower;
    for (const char c : name)
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string old_words = "mysql_global_status_" + lower;
    const std::string new_words =
        replaced(replaced(old_words, "master", "source"), "slave", "replica");
    for (const std::string& full : {old_words, new_words}) {
      MetricFamily family{
          full, "The server's own " + name + ", as Binlane polled it.", MetricType::Untyped, {}};
      family.metric.push_back(sample(number, MetricType::Untyped));
      all.push_back(std::move(family));
    }
  }
}

// Upper bounds of the buckets, in seconds: a commit's wait is about a disk's write.
constexpr std::array<double, 15> kBounds = {50e-6,  100e-6, 200e-6, 300e-6, 500e-6,
                                            750e-6, 1e-3,   2e-3,   5e-3,   10e-3,
                                            20e-3,  50e-3,  100e-3, 1.0,    10.0};
constexpr double kNanosecond = 1e-9;

ClientMetric histogram_of(const json& stage) {
  ClientMetric metric;
  metric.label = {label("stage", stage.value("stage", "")),
                  label("replica", stage.value("replica", ""))};
  metric.histogram.sample_count = stage.value("count", std::uint64_t{0});
  metric.histogram.sample_sum = stage.value("sum_ns", 0.0) * kNanosecond;
  const json buckets = stage.value("buckets", json::array());
  for (const double bound : kBounds) {
    ClientMetric::Bucket bucket;
    bucket.upper_bound = bound;
    for (const json& counted : buckets) {
      if (counted.at(0).get<double>() * kNanosecond <= bound)
        bucket.cumulative_count += counted.at(1).get<std::uint64_t>();
    }
    metric.histogram.bucket.push_back(bucket);
  }
  return metric;
}

// Classic ones; the native ones are not for the text format (metrics_protobuf.h).
void add_stages(std::vector<MetricFamily>& all, const json& stages) {
  MetricFamily family{"binlane_stage_seconds",
                      "From the moment a commit group is seen in the binlog to each stage; unseen: "
                      "what it waited for that at most; replica_queue, replica_disk: a replica's "
                      "journal writes.",
                      MetricType::Histogram,
                      {}};
  for (const json& stage : stages) family.metric.push_back(histogram_of(stage));
  if (!family.metric.empty()) all.push_back(std::move(family));
}

void add_source(std::vector<MetricFamily>& all, const json& source) {
  add_state(all, source);
  add(all, kSourceRows, {{&source, {}}});
  add_mysql_names(all, source);
  if (!source.value("running", true)) return;
  add_disagreement(all, source);
  add(all, kRunningRows, {{&source, {}}});
  std::vector<std::pair<const json*, std::vector<ClientMetric::Label>>> peers;
  const auto replicas = source.find("replicas");
  if (replicas != source.end()) {
    for (const json& replica : *replicas)
      peers.push_back({&replica, {label("replica", replica.value("name", ""))}});
  }
  add(all, kPeerRows, peers);
}

}  // namespace

std::vector<MetricFamily> metrics_of(const json& status) {
  std::vector<MetricFamily> all;
  MetricFamily info{"binlane_info", "1, with the host's name and cluster.", kGauge, {}};
  info.metric.push_back(sample(
      1, kGauge,
      {label("name", status.value("name", "")), label("cluster", status.value("cluster", ""))}));
  all.push_back(std::move(info));
  add_problems(all, status);
  add(all, kDaemonRows, {{&status, {}}});
  if (status.contains("source")) add_source(all, status["source"]);
  if (status.contains("stages")) add_stages(all, status["stages"]);
  if (status.contains("replica")) {
    const json& replica = status["replica"];
    add(all, kReplicaRows, {{&replica, {}}});
    if (replica.value("at_work", true)) add(all, kFollowingRows, {{&replica, {}}});
  }
  std::vector<std::pair<const json*, std::vector<ClientMetric::Label>>> ports;
  const auto found = status.find("ports");
  if (found != status.end()) {
    for (const json& port : *found)
      ports.push_back({&port, {label("port", port.value("port", ""))}});
  }
  add(all, kPortRows, ports);
  return all;
}

std::string metrics_text(const json& status) {
  return prometheus::TextSerializer().Serialize(metrics_of(status));
}

}  // namespace binlane

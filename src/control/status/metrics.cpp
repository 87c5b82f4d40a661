#include "control/status/metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "control/admin/json_view.h"
#include "control/status/metric_rows.h"
#include "control/status/problems.h"

namespace binlane {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using namespace metric_rows;

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

// A number, or a truth value as 1 or 0; nothing else is a sample. Null means unknown now; anything
// else in its place is a mistake in this table, which is reported to a LookupWatch.
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

// Objects of one kind, and the labels that distinguish them.
using Labelled = std::vector<std::pair<const json*, std::vector<ClientMetric::Label>>>;

// One family for each row, with a sample for each object.
template <std::size_t N>
void add(std::vector<MetricFamily>& all, const Row (&rows)[N], const Labelled& objects) {
  for (const Row& row : rows) {
    MetricFamily family{row.name, row.help, row.type, {}};
    for (const auto& [object, labels] : objects) {
      double value = 0;
      if (value_at(*object, row, value)) family.metric.push_back(sample(value, row.type, labels));
    }
    if (!family.metric.empty()) all.push_back(std::move(family));
  }
}

// One sample for each state, 1 for the present one, so that a change is visible in a graph.
void add_state(std::vector<MetricFamily>& all, const json& source) {
  MetricFamily family{"binlane_state", "1 for the state that the source is in.", kGauge, {}};
  const std::string now = source.value("state", "");
  for (const char* state : kStates)
    family.metric.push_back(sample(now == state ? 1 : 0, kGauge, {label("state", state)}));
  all.push_back(std::move(family));
}

// The engine says SEMISYNC or FOREIGN_ACKER exactly if the server waits; any other combination
// needs attention.
void add_disagreement(std::vector<MetricFamily>& all, const json& source) {
  const std::string state = source.value("state", "");
  const bool engine = state == "SEMISYNC" || state == "FOREIGN_ACKER";
  const json server = source.value("server", json::object());
  const bool waits = server.value("status_on", false) && server.value("enabled", false);
  MetricFamily family{"binlane_server_disagrees",
                      "1 while the server's semi-sync status differs from Binlane's state.",
                      kGauge,
                      {}};
  family.metric.push_back(sample(engine != waits ? 1 : 0, kGauge));
  all.push_back(std::move(family));
}

// Each kind of problem, as 1 or 0, so that an alert ends when its problem does. And the same for
// our own files, by file.
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

// mysqld_exporter's names, in both generations of words.
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

// Upper bounds of the buckets, in seconds: a commit waits for about as long as a disk's write.
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

// Classic ones; the text format does not carry native ones (metrics_protobuf.h).
void add_stages(std::vector<MetricFamily>& all, const json& stages) {
  MetricFamily family{"binlane_stage_seconds",
                      "Time from the moment when a commit group is seen in the binlog to each "
                      "stage; unseen: how long at most the group waited to be seen; replica_queue, "
                      "replica_disk: a replica's journal writes.",
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
  Labelled peers;
  const auto replicas = source.find("replicas");
  if (replicas != source.end()) {
    for (const json& replica : *replicas)
      peers.push_back({&replica, {label("replica", replica.value("name", ""))}});
  }
  add(all, kPeerRows, peers);
}

Labelled queues_of(const json& status) {
  Labelled queues;
  for (const char* side : {"source", "replica"}) {
    const auto found = status.find(side);
    if (found == status.end() || !found->contains("queues")) continue;
    for (const json& queue : found->at("queues"))
      queues.push_back({&queue, {label("queue", queue.value("queue", ""))}});
  }
  return queues;
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
  Labelled ports;
  const auto found = status.find("ports");
  if (found != status.end()) {
    for (const json& port : *found)
      ports.push_back({&port, {label("port", port.value("port", ""))}});
  }
  add(all, kPortRows, ports);
  add(all, kQueueRows, queues_of(status));
  return all;
}

std::string metrics_text(const json& status) {
  return prometheus::TextSerializer().Serialize(metrics_of(status));
}

}  // namespace binlane

#include "control/status/stage_report.h"

#include <algorithm>

#include "base/clock.h"

namespace binlane {
namespace {

using nlohmann::json;

void add(json& stages, const char* stage, const std::string& replica,
         const StageHistogram& histogram) {
  const StageHistogram::Counts counts = histogram.counts();
  if (counts.count() == 0) return;
  json buckets = json::array();
  for (std::size_t i = 0; i < StageHistogram::kBuckets; ++i) {
    if (counts.count_at(i) > 0)
      buckets.push_back(json::array({StageHistogram::bucket_end(i), counts.count_at(i)}));
  }
  stages.push_back({{"stage", stage},
                    {"replica", replica},
                    {"count", counts.count()},
                    {"sum_ns", counts.sum()},
                    {"max_ns", counts.max()},
                    {"p50_ns", counts.quantile(0.5)},
                    {"p90_ns", counts.quantile(0.9)},
                    {"p99_ns", counts.quantile(0.99)},
                    {"p999_ns", counts.quantile(0.999)},
                    {"buckets", buckets}});
}

void put_stage(json& row, const char* name, std::uint64_t ns) {
  row[name] = nullptr;
  if (ns != 0) row[name] = to_micros(ns);
}

}  // namespace

json stage_histograms(const CommitTracer& clock, const std::vector<std::string>& replicas) {
  json stages = json::array();
  add(stages, "unseen", "", clock.unseen());
  for (std::size_t i = 0; i < replicas.size() && i < kMaxReplicas; ++i) {
    add(stages, "sent", replicas[i], clock.sent(i));
    add(stages, "received", replicas[i], clock.received(i));
    add(stages, "replica_queue", replicas[i], clock.queue(i));
    add(stages, "replica_disk", replicas[i], clock.disk(i));
    add(stages, "durable", replicas[i], clock.durable(i));
  }
  add(stages, "quorum", "", clock.quorum());
  add(stages, "fed", "", clock.released());
  return {{"stages", stages}, {"skipped", clock.skipped()}};
}

json stage_traces(const CommitTracer& clock, std::size_t most) {
  std::vector<StageTrace> traces;
  for (std::size_t i = 0; i < CommitTracer::kTraced; ++i) {
    const StageTrace trace = clock.trace(i);
    if (trace.number != 0) traces.push_back(trace);
  }
  std::sort(traces.begin(), traces.end(),
            [](const StageTrace& a, const StageTrace& b) { return a.number < b.number; });
  const std::size_t first = traces.size() > most ? traces.size() - most : 0;
  const std::uint64_t now_ns = monotonic_ns();
  json rows = json::array();
  for (std::size_t i = first; i < traces.size(); ++i) {
    const StageTrace& trace = traces[i];
    json row = {{"end", {{"file", trace.end.file}, {"offset", trace.end.offset}}},
                {"ago_ms", (now_ns - std::min(now_ns, trace.seen_at_ns)) / kNanosPerMilli}};
    put_stage(row, "sent_us", trace.sent_ns);
    put_stage(row, "received_us", trace.received_ns);
    put_stage(row, "durable_us", trace.durable_ns);
    put_stage(row, "quorum_us", trace.quorum_ns);
    put_stage(row, "fed_us", trace.released_ns);
    rows.push_back(std::move(row));
  }
  return {{"commits", rows}};
}

}  // namespace binlane

// What the commit tracer has measured, for the admin socket and the metrics. Any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/lane/commit_tracer.h"

namespace binlane {

// {"stages": [{"stage", "replica", "count", "sum_ns", "max_ns", "p50_ns", …, "buckets": [[upper_ns,
// count]…]}…], "skipped"}: the stages that have values; empty buckets are left out. "sent",
// "received", "durable", "quorum" and "fed" count from the moment when a group was seen; "unseen"
// is how long at most it waited to be seen; "replica_queue" and "replica_disk" are a replica's own.
nlohmann::json stage_histograms(const CommitTracer& clock,
                                const std::vector<std::string>& replicas);

// The newest `most` commit groups, oldest first: {"commits": [{"end": {"file", "offset"}, "ago_ms",
// "sent_us", "received_us", …}]}; a stage that was not reached is null.
nlohmann::json stage_traces(const CommitTracer& clock, std::size_t most);

}  // namespace binlane

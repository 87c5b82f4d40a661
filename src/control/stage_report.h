// What the stage clock has measured, for the admin socket and the metrics. Any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dataplane/stage_clock.h"

namespace binlane {

// {"stages": [{"stage", "replica", "count", "sum_ns", "max_ns", "p50_ns", …, "buckets": [[upper_ns,
// count]…]}…], "skipped"}: the stages that have values; buckets that are empty are left out.
// "sent", "received", "durable", "quorum" and "fed" count from the moment a group was seen;
// "unseen" is what it may have waited for that; "replica_queue" and "replica_disk" are a replica's
// own.
nlohmann::json stage_histograms(const StageClock& clock, const std::vector<std::string>& replicas);

// The newest `most` commit groups, oldest first: {"commits": [{"end": {"file", "offset"}, "ago_ms",
// "sent_us", "received_us", …}]}; a stage that was not reached is null.
nlohmann::json stage_traces(const StageClock& clock, std::size_t most);

}  // namespace binlane

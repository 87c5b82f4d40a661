// The metrics in Prometheus' protobuf exposition format (a MetricFamily after the other, each with
// its length in front), which alone can carry native histograms. Debian's prometheus-cpp writes the
// text format only, so this is written by hand; the field numbers are those of
// io.prometheus.client's public metrics.proto.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace binlane {

inline constexpr const char* kProtobufContentType =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

// Whether whoever sends this Accept header wants it.
bool accepts_protobuf(const char* accept);

// All that metrics_of() has, and binlane_stage_native_seconds beside binlane_stage_seconds: a name
// of its own, because a Prometheus that takes native histograms drops the classic buckets of the
// same name, which alerts and dashboard go by. `status` as for metrics_text().
std::string metrics_protobuf(const nlohmann::json& status);

}  // namespace binlane

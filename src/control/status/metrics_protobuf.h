// The metrics in Prometheus' protobuf exposition format (one MetricFamily after the other, each
// preceded by its length), which alone can carry native histograms. Debian's prometheus-cpp writes
// the text format only, so this is written by hand; the field numbers are those of
// io.prometheus.client's public metrics.proto.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace binlane {

inline constexpr const char* kProtobufContentType =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

// Whether a client that sends this Accept header wants it.
bool accepts_protobuf(const char* accept);

// Everything that metrics_of() has, and binlane_stage_native_seconds in addition to
// binlane_stage_seconds. The name differs, because a Prometheus that takes native histograms drops
// the classic buckets of the same name, which alerts and dashboard use. `status` as for
// metrics_text().
std::string metrics_protobuf(const nlohmann::json& status);

}  // namespace binlane

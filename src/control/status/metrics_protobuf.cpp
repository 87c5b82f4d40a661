#include "control/status/metrics_protobuf.h"

#include <prometheus/metric_family.h>

#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>

#include <string_view>

#include "base/clock.h"
#include "control/status/metrics.h"
#include "control/status/native_histogram.h"

namespace binlane {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using protozero::pbf_writer;

// Field numbers of io.prometheus.client.
namespace family_field {
constexpr std::uint32_t kName = 1, kHelp = 2, kType = 3, kMetric = 4;
}
namespace metric_field {
constexpr std::uint32_t kLabel = 1, kGauge = 2, kCounter = 3, kUntyped = 5, kHistogram = 7;
}
namespace label_field {
constexpr std::uint32_t kName = 1, kValue = 2;
}
constexpr std::uint32_t kSampleValue = 1;  // of a gauge, a counter, an untyped one
namespace histogram_field {
constexpr std::uint32_t kCount = 1, kSum = 2, kBucket = 3, kSchema = 5, kZeroThreshold = 6,
                        kZeroCount = 7, kPositiveSpan = 12, kPositiveDelta = 13;
}
namespace bucket_field {
constexpr std::uint32_t kCumulativeCount = 1, kUpperBound = 2;
}
namespace span_field {
constexpr std::uint32_t kOffset = 1, kLength = 2;
}
enum class TypeNumber : std::uint8_t { counter = 0, gauge = 1, untyped = 3, histogram = 4 };

TypeNumber number_of(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return TypeNumber::counter;
    case MetricType::Gauge:
      return TypeNumber::gauge;
    case MetricType::Histogram:
      return TypeNumber::histogram;
    default:
      return TypeNumber::untyped;
  }
}

protozero::data_view view_of(std::string_view text) {
  return {text.data(), text.size()};
}

void add_label(pbf_writer& metric, std::string_view name, std::string_view value) {
  pbf_writer label(metric, metric_field::kLabel);
  label.add_string(label_field::kName, view_of(name));
  label.add_string(label_field::kValue, view_of(value));
}

void add_value(pbf_writer& metric, std::uint32_t field, double value) {
  pbf_writer(metric, field).add_double(kSampleValue, value);
}

void add_classic(pbf_writer& metric, const ClientMetric::Histogram& histogram) {
  pbf_writer message(metric, metric_field::kHistogram);
  message.add_uint64(histogram_field::kCount, histogram.sample_count);
  message.add_double(histogram_field::kSum, histogram.sample_sum);
  for (const ClientMetric::Bucket& counted : histogram.bucket) {
    pbf_writer bucket(message, histogram_field::kBucket);
    bucket.add_uint64(bucket_field::kCumulativeCount, counted.cumulative_count);
    bucket.add_double(bucket_field::kUpperBound, counted.upper_bound);
  }
}

void add_metric(pbf_writer& family, const ClientMetric& metric, MetricType type) {
  pbf_writer message(family, family_field::kMetric);
  for (const auto& label : metric.label) add_label(message, label.name, label.value);
  switch (type) {
    case MetricType::Counter:
      return add_value(message, metric_field::kCounter, metric.counter.value);
    case MetricType::Gauge:
      return add_value(message, metric_field::kGauge, metric.gauge.value);
    case MetricType::Histogram:
      return add_classic(message, metric.histogram);
    default:
      return add_value(message, metric_field::kUntyped, metric.untyped.value);
  }
}

void add_native(pbf_writer& metric, const json& stage) {
  const NativeHistogram native = native_histogram(
      stage.value("buckets", std::vector<std::pair<std::uint64_t, std::uint64_t>>{}));
  pbf_writer message(metric, metric_field::kHistogram);
  message.add_uint64(histogram_field::kCount, stage.value("count", std::uint64_t{0}));
  message.add_double(histogram_field::kSum,
                     stage.value("sum_ns", 0.0) / static_cast<double>(kNanosPerSecond));
  message.add_sint32(histogram_field::kSchema, kNativeSchema);
  message.add_double(histogram_field::kZeroThreshold, kNativeZeroThreshold);
  message.add_uint64(histogram_field::kZeroCount, native.zero_count);
  for (const NativeHistogram::Span& run : native.spans) {
    pbf_writer span(message, histogram_field::kPositiveSpan);
    span.add_sint32(span_field::kOffset, run.offset);
    span.add_uint32(span_field::kLength, run.length);
  }
  message.add_packed_sint64(histogram_field::kPositiveDelta, native.deltas.begin(),
                            native.deltas.end());
}

// The beginning of a family; its metrics follow.
void add_head(pbf_writer& family, std::string_view name, std::string_view help, MetricType type) {
  family.add_string(family_field::kName, view_of(name));
  family.add_string(family_field::kHelp, view_of(help));
  family.add_enum(family_field::kType, static_cast<std::int32_t>(number_of(type)));
}

// Families follow each other, each with its length before it.
void append_delimited(std::string& all, const std::string& family) {
  protozero::add_varint_to_buffer(&all, family.size());
  all += family;
}

}  // namespace

bool accepts_protobuf(const char* accept) {
  const std::string_view text = accept == nullptr ? "" : accept;
  return text.find("application/vnd.google.protobuf") != std::string_view::npos &&
         text.find("encoding=delimited") != std::string_view::npos;
}

std::string metrics_protobuf(const json& status) {
  std::string all;
  for (const MetricFamily& family : metrics_of(status)) {
    std::string text;
    pbf_writer message(text);
    add_head(message, family.name, family.help, family.type);
    for (const ClientMetric& metric : family.metric) add_metric(message, metric, family.type);
    append_delimited(all, text);
  }
  const json stages = status.value("stages", json::array());
  if (stages.empty()) return all;
  std::string text;
  pbf_writer message(text);
  add_head(message, "binlane_stage_native_seconds", "binlane_stage_seconds as native histograms.",
           MetricType::Histogram);
  for (const json& stage : stages) {
    pbf_writer metric(message, family_field::kMetric);
    for (const char* label : {"stage", "replica"})
      add_label(metric, label, stage.value(label, std::string()));
    add_native(metric, stage);
  }
  append_delimited(all, text);
  return all;
}

}  // namespace binlane

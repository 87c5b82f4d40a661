#include "control/metrics_protobuf.h"

#include <prometheus/metric_family.h>

#include <string_view>

#include "base/clock.h"
#include "control/metrics.h"
#include "control/native_histogram.h"
#include "control/protobuf_writer.h"

namespace binlane {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

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

void add_label(ProtobufWriter& metric, std::string_view name, std::string_view value) {
  ProtobufWriter label;
  label.bytes(label_field::kName, name);
  label.bytes(label_field::kValue, value);
  metric.bytes(metric_field::kLabel, label.text());
}

void add_value(ProtobufWriter& metric, std::uint32_t field, double value) {
  ProtobufWriter sample;
  sample.real(kSampleValue, value);
  metric.bytes(field, sample.text());
}

std::string classic_histogram(const ClientMetric::Histogram& histogram) {
  ProtobufWriter message;
  message.number(histogram_field::kCount, histogram.sample_count);
  message.real(histogram_field::kSum, histogram.sample_sum);
  for (const ClientMetric::Bucket& counted : histogram.bucket) {
    ProtobufWriter bucket;
    bucket.number(bucket_field::kCumulativeCount, counted.cumulative_count);
    bucket.real(bucket_field::kUpperBound, counted.upper_bound);
    message.bytes(histogram_field::kBucket, bucket.text());
  }
  return message.text();
}

std::string metric_text(const ClientMetric& metric, MetricType type) {
  ProtobufWriter message;
  for (const auto& label : metric.label) add_label(message, label.name, label.value);
  switch (type) {
    case MetricType::Counter:
      add_value(message, metric_field::kCounter, metric.counter.value);
      break;
    case MetricType::Gauge:
      add_value(message, metric_field::kGauge, metric.gauge.value);
      break;
    case MetricType::Histogram:
      message.bytes(metric_field::kHistogram, classic_histogram(metric.histogram));
      break;
    default:
      add_value(message, metric_field::kUntyped, metric.untyped.value);
  }
  return message.text();
}

std::string native_text(const json& stage) {
  const NativeHistogram native = native_histogram(
      stage.value("buckets", std::vector<std::pair<std::uint64_t, std::uint64_t>>{}));
  ProtobufWriter message;
  message.number(histogram_field::kCount, stage.value("count", std::uint64_t{0}));
  message.real(histogram_field::kSum,
               stage.value("sum_ns", 0.0) / static_cast<double>(kNanosPerSecond));
  message.number(histogram_field::kSchema, ProtobufWriter::zigzag(kNativeSchema));
  message.real(histogram_field::kZeroThreshold, kNativeZeroThreshold);
  message.number(histogram_field::kZeroCount, native.zero_count);
  for (const NativeHistogram::Span& run : native.spans) {
    ProtobufWriter span;
    span.number(span_field::kOffset, ProtobufWriter::zigzag(run.offset));
    span.number(span_field::kLength, run.length);
    message.bytes(histogram_field::kPositiveSpan, span.text());
  }
  ProtobufWriter deltas;
  for (const std::int64_t delta : native.deltas) deltas.varint(ProtobufWriter::zigzag(delta));
  message.bytes(histogram_field::kPositiveDelta, deltas.text());
  return message.text();
}

// The beginning of a family; its metrics follow.
ProtobufWriter family_head(std::string_view name, std::string_view help, MetricType type) {
  ProtobufWriter family;
  family.bytes(family_field::kName, name);
  family.bytes(family_field::kHelp, help);
  family.number(family_field::kType, static_cast<std::uint64_t>(number_of(type)));
  return family;
}

}  // namespace

bool accepts_protobuf(const char* accept) {
  const std::string_view text = accept == nullptr ? "" : accept;
  return text.find("application/vnd.google.protobuf") != std::string_view::npos &&
         text.find("encoding=delimited") != std::string_view::npos;
}

std::string metrics_protobuf(const json& status) {
  ProtobufWriter all;
  for (const MetricFamily& family : metrics_of(status)) {
    ProtobufWriter message = family_head(family.name, family.help, family.type);
    for (const ClientMetric& metric : family.metric)
      message.bytes(family_field::kMetric, metric_text(metric, family.type));
    all.delimited(message.text());
  }
  const json stages = status.value("stages", json::array());
  if (stages.empty()) return all.text();
  ProtobufWriter message =
      family_head("binlane_stage_native_seconds", "binlane_stage_seconds as native histograms.",
                  MetricType::Histogram);
  for (const json& stage : stages) {
    ProtobufWriter metric;
    for (const char* label : {"stage", "replica"})
      add_label(metric, label, stage.value(label, std::string()));
    metric.bytes(metric_field::kHistogram, native_text(stage));
    message.bytes(family_field::kMetric, metric.text());
  }
  all.delimited(message.text());
  return all.text();
}

}  // namespace binlane

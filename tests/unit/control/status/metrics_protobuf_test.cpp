// Native histograms, and the wire format that carries them.
#include "control/status/native_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "control/status/metrics_protobuf.h"
#include "dataplane/lane/stage_histogram.h"

namespace binlane {
namespace {

using namespace std::string_literals;
using nlohmann::json;
using Buckets = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
using Span = NativeHistogram::Span;

std::uint64_t bucket_of(std::uint64_t ns) {
  return StageHistogram::bucket_end(StageHistogram::bucket_index(ns));
}

TEST(NativeHistogram, EveryBucketOfOursLiesInOneThatHoldsItsMiddle) {
  for (std::size_t i = 2; i < StageHistogram::kBuckets; ++i) {
    const std::uint64_t upper = StageHistogram::bucket_end(i);
    const std::uint64_t lower = StageHistogram::bucket_end(i - 1) + 1;
    const double middle = static_cast<double>(lower + upper) / 2e9;
    const NativeHistogram native = native_histogram({{upper, 3}});
    ASSERT_EQ(native.spans.size(), 1U) << upper;
    EXPECT_EQ(native.spans[0].length, 1U);
    EXPECT_EQ(native.deltas, std::vector<std::int64_t>{3});
    const int index = native.spans[0].offset;
    EXPECT_LE(middle, std::exp2(index / 8.0) * (1 + 1e-9)) << upper;
    EXPECT_GT(middle, std::exp2((index - 1) / 8.0) * (1 - 1e-9)) << upper;
  }
}

TEST(NativeHistogram, RunsAndDifferences) {
  // One second lies in bucket 0, which ends there; two seconds in bucket 8. Ours hold a little
  // more.
  const int one = native_histogram({{bucket_of(1'000'000'000), 1}}).spans[0].offset;
  const int two = native_histogram({{bucket_of(2'000'000'000), 1}}).spans[0].offset;
  EXPECT_LE(std::abs(one), 1);
  EXPECT_LE(std::abs(two - 8), 1);
  const NativeHistogram native =
      native_histogram({{bucket_of(1'000'000'000), 5}, {bucket_of(2'000'000'000), 2}});
  EXPECT_EQ(native.spans, (std::vector<Span>{{one, 1}, {two - one - 1, 1}}));
  EXPECT_EQ(native.deltas, (std::vector<std::int64_t>{5, -3}));
}

TEST(NativeHistogram, NothingIsLost) {
  Buckets buckets;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < StageHistogram::kBuckets; ++i) {
    buckets.emplace_back(StageHistogram::bucket_end(i), i + 1);
    count += i + 1;
  }
  const NativeHistogram native = native_histogram(buckets);
  std::uint64_t seen = native.zero_count;
  std::int64_t bucket = 0;
  for (const std::int64_t delta : native.deltas)
    seen += static_cast<std::uint64_t>(bucket += delta);
  std::uint32_t length = 0;
  for (const Span& span : native.spans) length += span.length;
  EXPECT_EQ(seen, count);
  EXPECT_EQ(native.zero_count, 1U + 2U) << "zero and one nanosecond";
  EXPECT_EQ(length, native.deltas.size());
}

TEST(MetricsProtobuf, AGaugeByteByByte) {
  const std::string all = metrics_protobuf({{"name", "s"}, {"cluster", "c"}});
  const std::string help = "1, with the host's name and cluster.";
  const std::string metric = "\x0a\x09\x0a\x04name\x12\x01s"s + "\x0a\x0c\x0a\x07" +
                             "cluster\x12\x01" + "c" + "\x12\x09\x09\0\0\0\0\0\0\xf0\x3f"s;
  const std::string family = "\x0a\x0c" + "binlane_info"s + "\x12" +
                             static_cast<char>(help.size()) + help + "\x18\x01" + "\x22" +
                             static_cast<char>(metric.size()) + metric;
  EXPECT_EQ(all, static_cast<char>(family.size()) + family);
}

// A native histogram as a reader of the format sees it.
TEST(MetricsProtobuf, ANativeHistogramFieldByField) {
  const json stage = {
      {"stage", "quorum"},
      {"replica", ""},
      {"count", 8},
      {"sum_ns", 3'000'000'000.0},
      {"buckets", Buckets{{0, 1}, {bucket_of(1'000'000'000), 5}, {bucket_of(2'000'000'000), 2}}}};
  const NativeHistogram wanted = native_histogram(stage["buckets"].get<Buckets>());
  const std::string all = metrics_protobuf({{"stages", json::array({stage})}});
  protozero::pbf_reader histogram;
  for (const char* at = all.data(); at < all.data() + all.size();) {
    const std::uint64_t length = protozero::decode_varint(&at, all.data() + all.size());
    protozero::pbf_reader family(at, length);
    at += length;
    if (!family.next(1) || family.get_string() != "binlane_stage_native_seconds") continue;
    ASSERT_TRUE(family.next(4));
    protozero::pbf_reader metric = family.get_message();
    ASSERT_TRUE(metric.next(7));
    histogram = metric.get_message();
  }
  std::vector<Span> spans;
  std::vector<std::int64_t> deltas;
  std::uint32_t fields = 0;
  while (histogram.next()) {
    ++fields;
    switch (histogram.tag()) {
      case 1:
        EXPECT_EQ(histogram.get_uint64(), 8U);
        break;
      case 2:
        EXPECT_DOUBLE_EQ(histogram.get_double(), 3.0);
        break;
      case 5:
        EXPECT_EQ(histogram.get_sint32(), kNativeSchema);
        break;
      case 6:
        EXPECT_DOUBLE_EQ(histogram.get_double(), kNativeZeroThreshold);
        break;
      case 7:
        EXPECT_EQ(histogram.get_uint64(), wanted.zero_count);
        break;
      case 12: {
        protozero::pbf_reader span = histogram.get_message();
        Span read;
        while (span.next()) {
          if (span.tag() == 1)
            read.offset = span.get_sint32();
          else
            read.length = span.get_uint32();
        }
        spans.push_back(read);
        break;
      }
      case 13:
        for (const std::int64_t delta : histogram.get_packed_sint64()) deltas.push_back(delta);
        break;
      default:
        ADD_FAILURE() << "field " << histogram.tag();
    }
  }
  EXPECT_EQ(fields, 5U + 2U + 1U);
  EXPECT_EQ(spans, wanted.spans);
  EXPECT_EQ(deltas, wanted.deltas);
}

TEST(MetricsProtobuf, OnlyForWhoeverAsks) {
  EXPECT_FALSE(accepts_protobuf(nullptr));
  EXPECT_FALSE(accepts_protobuf("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_FALSE(accepts_protobuf("application/vnd.google.protobuf;encoding=text"));
  EXPECT_TRUE(accepts_protobuf(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
      "application/openmetrics-text;version=1.0.0;q=0.5"));
}

}  // namespace
}  // namespace binlane

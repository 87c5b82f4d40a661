// Native histograms, and the wire format that carries them.
#include "control/native_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "control/metrics_protobuf.h"
#include "control/protobuf_writer.h"
#include "dataplane/stage_histogram.h"

namespace binlane {
namespace {

using namespace std::string_literals;
using nlohmann::json;
using Buckets = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
using Span = NativeHistogram::Span;

std::uint64_t bucket_of(std::uint64_t ns) {
  return StageHistogram::upper_ns(StageHistogram::index_of(ns));
}

TEST(NativeHistogram, EveryBucketOfOursLiesInOneThatHoldsItsMiddle) {
  for (std::size_t i = 2; i < StageHistogram::kBuckets; ++i) {
    const std::uint64_t upper = StageHistogram::upper_ns(i);
    const std::uint64_t lower = StageHistogram::upper_ns(i - 1) + 1;
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
    buckets.emplace_back(StageHistogram::upper_ns(i), i + 1);
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

TEST(ProtobufWriter, WireFormat) {
  ProtobufWriter writer;
  writer.number(1, 300);  // the example of the format's own description
  EXPECT_EQ(writer.text(), "\x08\xac\x02"s);
  writer = {};
  writer.bytes(2, "testing");
  EXPECT_EQ(writer.text(), "\x12\x07testing"s);
  writer = {};
  writer.real(1, 1.0);
  EXPECT_EQ(writer.text(), "\x09\0\0\0\0\0\0\xf0\x3f"s);
  EXPECT_EQ(ProtobufWriter::zigzag(0), 0U);
  EXPECT_EQ(ProtobufWriter::zigzag(-1), 1U);
  EXPECT_EQ(ProtobufWriter::zigzag(1), 2U);
  EXPECT_EQ(ProtobufWriter::zigzag(INT64_MIN), UINT64_MAX);
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

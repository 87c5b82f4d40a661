// The feed's events, against a binlog that a MariaDB 10.11 source wrote.

#include "shim/feed/feed_event.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "feed_binlog.h"
#include "shim/binlog/gtid_position.h"

namespace binlane {
namespace {

// The events of a recorded file.
std::vector<Event> recorded(const std::string& name) {
  std::ifstream file(std::string(BINLANE_TEST_DATA) + '/' + name, std::ios::binary);
  const std::string data{std::istreambuf_iterator<char>(file), {}};
  const ConstBytes bytes = mysql::as_bytes(data);
  std::vector<Event> events;
  for (std::size_t at = kBinlogMagicSize; at < bytes.size();) {
    const EventHeader header = parse_event_header(bytes.data() + at);
    const ConstBytes event = bytes.subspan(at, header.length);
    events.emplace_back(event.begin(), event.end());
    at += header.length;
  }
  return events;
}

TEST(FeedEvent, ChecksumsAreTheServers) {
  const auto events = recorded("groups.000001");
  ASSERT_GT(events.size(), 20u);
  for (const Event& event : events) {
    const std::size_t covered = event.size() - kEventChecksumSize;
    Event masked = event;
    // The server leaves the IN_USE flag out of the format description's checksum.
    if (&event == &events.front()) masked[kEventFlagsOffset] &= ~std::byte{kEventFlagInUse};
    EXPECT_EQ(crc32(0, ConstBytes(masked).first(covered)),
              load_le<std::uint32_t>(event.data() + covered));
  }
}

TEST(FeedEvent, ReadsARealFilesBeginning) {
  const auto first = recorded("groups.000001");
  const auto format = parse_format_description(first[0]);
  ASSERT_TRUE(format);
  EXPECT_TRUE(format->checksums);
  EXPECT_EQ(format->server_version.substr(0, 5), "10.11");
  EXPECT_NE(format->server_id, 0u);
  EXPECT_NE(format->created_s, 0u);
  const auto second = recorded("groups.000002");
  const EventHeader header = parse_event_header(second[1].data());
  ASSERT_EQ(header.type, EventType::gtid_list);
  auto list = parse_gtid_list(second[1], true);
  ASSERT_TRUE(list);
  // The server lists the domains in no order, but each in one piece.
  for (std::size_t i = 2; i < list->size(); ++i) {
    EXPECT_FALSE((*list)[i].domain == (*list)[i - 2].domain &&
                 (*list)[i].domain != (*list)[i - 1].domain);
  }
  std::stable_sort(list->begin(), list->end(),
                   [](const GtidEntry& a, const GtidEntry& b) { return a.domain < b.domain; });
  // What the first file's groups add up to.
  GtidHistory history;
  for (const Event& event : first) {
    if (parse_event_header(event.data()).type != EventType::gtid) continue;
    const auto gtid = parse_gtid_event(event);
    ASSERT_TRUE(gtid);
    history.set(gtid->gtid);
  }
  const auto expected = history.list();
  ASSERT_EQ(list->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(to_string((*list)[i]), to_string(expected[i]));
  }
}

TEST(FeedEvent, ServesAFormatDescriptionThatIsNotInUse) {
  Event event = recorded("groups.000001")[0];
  const Event closed = served_format_description(event, {});
  event[kEventFlagsOffset] |= std::byte{kEventFlagInUse};
  EXPECT_EQ(served_format_description(event, {}), closed);
  EXPECT_EQ(parse_event_header(closed.data()).flags & kEventFlagInUse, 0);
  const Event resumed =
      served_format_description(event, {.clear_end = true, .clear_created = true});
  EXPECT_EQ(parse_event_header(resumed.data()).end_low, 0u);
  EXPECT_EQ(parse_format_description(resumed)->created_s, 0u);
  EXPECT_EQ(parse_format_description(resumed)->server_version,
            parse_format_description(event)->server_version);
  const std::size_t covered = resumed.size() - kEventChecksumSize;
  EXPECT_EQ(crc32(0, ConstBytes(resumed).first(covered)),
            load_le<std::uint32_t>(resumed.data() + covered));
}

TEST(FeedEvent, MakesTheRotateThatARealSourceSends) {
  // Recorded: server id 1, "binlog.000002" from 974 on, with its checksum.
  const std::string recorded_event(
      "\0\0\0\0\x04\x01\0\0\0,\0\0\0\0\0\0\0 \0\xce\x03\0\0\0\0\0\0binlog.000002\xc0\x16\x0e_", 44);
  EXPECT_EQ(mysql::to_text(make_rotate(1, "binlog.000002", 974, true)), recorded_event);
  EXPECT_EQ(make_rotate(1, "binlog.000002", 974, false).size(), 40u);
}

TEST(FeedEvent, MakesTheHeartbeatThatARealSourceSends) {
  const std::string recorded_event(
      "\0\0\0\0\x1b\x01\0\0\0$\0\0\0\x07\x03\0\0\0\0binlog.000002\xe2\x8bxs", 36);
  EXPECT_EQ(mysql::to_text(make_heartbeat(1, "binlog.000002", 775, true)), recorded_event);
}

TEST(FeedEvent, MakesTheHeartbeatOfVersionTwo) {
  for (const auto& [position, encoded] :
       {std::pair<std::uint64_t, std::string>{775, {"\x03\xfc\x07\x03", 4}},
        {0x1'0000'0307, {"\x09\xfe\x07\x03\0\0\1\0\0\0", 10}}}) {
    const Event event = make_heartbeat_v2(1, "binlog.000002", position, true);
    const EventHeader header = parse_event_header(event.data());
    EXPECT_EQ(static_cast<int>(header.type), 41);
    EXPECT_EQ(header.length, event.size());
    EXPECT_EQ(header.end_low, 775u);
    const ConstBytes body = ConstBytes(event).subspan(
        kEventHeaderSize, event.size() - kEventHeaderSize - kEventChecksumSize);
    EXPECT_EQ(mysql::to_text(body),
              "\x01\x0d"
              "binlog.000002"
              "\x02" +
                  encoded + '\0');
  }
}

TEST(FeedEvent, MakesAGtidListThatReadsTheSame) {
  const std::vector<GtidEntry> list{{0, 1, 7}, {3, 2, 1ull << 40}};
  for (const bool checksums : {false, true}) {
    const Event event = make_gtid_list(1, list, kGtidListUntilReached, 5ull << 32 | 775, checksums);
    const EventHeader header = parse_event_header(event.data());
    EXPECT_EQ(header.length, event.size());
    EXPECT_EQ(header.end_low, 775u);
    EXPECT_EQ(header.flags, kEventFlagArtificial);
    const auto parsed = parse_gtid_list(event, checksums);
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->size(), 2u);
    EXPECT_EQ(to_string((*parsed)[1]), to_string(list[1]));
    EXPECT_TRUE(parse_gtid_list(make_gtid_list(1, {}, 0, 1, checksums), checksums)->empty());
  }
}

TEST(FeedEvent, ParsersSurviveDamage) {
  std::mt19937 random(7);
  auto events = recorded("groups.000001");
  const auto more = recorded("groups.000002");
  events.insert(events.end(), more.begin(), more.end());
  for (int round = 0; round < 20000; ++round) {
    Event event = events[random() % events.size()];
    for (int change = 0; change < 3; ++change) {
      event[random() % event.size()] = static_cast<std::byte>(random());
    }
    event.resize(random() % (event.size() + 1));
    parse_format_description(event);
    parse_gtid_event(event);
    parse_gtid_list(event, random() % 2 == 0);
  }
  // A count that the event cannot hold.
  Event list = make_gtid_list(1, std::vector<GtidEntry>{{0, 1, 7}}, 0, 1, false);
  store_le(list.data() + kEventHeaderSize, std::uint32_t{0x0fffffff});
  EXPECT_FALSE(parse_gtid_list(list, false));
}

}  // namespace
}  // namespace binlane

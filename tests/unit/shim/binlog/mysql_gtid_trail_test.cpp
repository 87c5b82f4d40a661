// The tracker on a MySQL server's binlog files: groups, and whether a file goes on where the one
// before it ends.

#include "shim/binlog/mysql_gtid_trail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "shim/binlog/group_tracker.h"
#include "shim/binlog/stream_scan.h"
#include "support/allocation_counter.h"
#include "support/binlog_writer.h"
#include "support/mysql_data.h"

namespace binlane::mysql_gtid_trail_test {

using test::Bytes;
using test::MysqlEvent;
using Events = std::vector<MysqlEvent>;

constexpr std::uint32_t kFiles = 8;

std::string file_name(std::uint32_t number) {
  return "binlog.00000" + std::to_string(number);
}

bool feed(GroupTracker& tracker, const Bytes& bytes, std::size_t chunk) {
  while (tracker.end().offset < bytes.size()) {
    const std::uint64_t offset = tracker.end().offset;
    const auto size = std::min<std::size_t>(chunk, bytes.size() - offset);
    if (!tracker.on_bytes(offset, ConstBytes(bytes).subspan(offset, size))) return false;
  }
  return true;
}

// The file that these events make, each with its place and checksum set right.
Bytes file_of(const Events& events) {
  Bytes bytes = test::bytes_of(
      "\xfe"
      "bin");
  for (const MysqlEvent& event : events) {
    const std::size_t begin = bytes.size();
    bytes.insert(bytes.end(), event.bytes.begin(), event.bytes.end());
    store_le<std::uint32_t>(bytes.data() + begin + 9,
                            static_cast<std::uint32_t>(event.bytes.size()));
    store_le<std::uint32_t>(bytes.data() + begin + 13, static_cast<std::uint32_t>(bytes.size()));
    test::sum_again(bytes, begin);
  }
  return bytes;
}

// What the tracker says of file `number` + 1 after it read `number`, both changed by the test.
using Change = std::function<void(Events&)>;
GroupTracker after(std::uint32_t number, const Change& first, const Change& second = {},
                   std::uint32_t step = 1) {
  GroupTracker tracker;
  for (const bool is_first : {true, false}) {
    Events events = test::mysql_events(file_name(is_first ? number : number + 1));
    const Change& change = is_first ? first : second;
    if (change) change(events);
    tracker.start_file(is_first ? number : number + step);
    EXPECT_TRUE(feed(tracker, file_of(events), 1 << 20)) << to_string(tracker.fault());
  }
  return tracker;
}

// The group whose GTID event is the n-th of the file (from 0), up to the next GTID event.
void remove_group(Events& events, int n) {
  const auto begins = [](const MysqlEvent& event) { return is_mysql_gtid(event.header.type); };
  auto begin = std::find_if(events.begin(), events.end(), begins);
  for (int i = 0; i < n; ++i) begin = std::find_if(begin + 1, events.end(), begins);
  auto end = std::find_if(begin + 1, events.end(), [&](const MysqlEvent& event) {
    return begins(event) || event.header.type == EventType::rotate;
  });
  events.erase(begin, end);
}

void remove_rest_after(Events& events, std::size_t count) {
  events.erase(events.begin() + static_cast<std::ptrdiff_t>(count), events.end() - 1);
}

TEST(MysqlGtidTrail, FollowsAllFilesOfARealServer) {
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
    GroupTracker tracker;
    std::uint64_t gtids = 0;
    for (std::uint32_t number = 1; number <= kFiles; ++number) {
      tracker.start_file(number);
      ASSERT_TRUE(feed(tracker, test::bytes_of(test::mysql_data(file_name(number))), chunk));
      for (const MysqlEvent& event : test::mysql_events(file_name(number)))
        gtids += is_mysql_gtid(event.header.type) ? 1 : 0;
      EXPECT_EQ(tracker.group_count(), gtids) << number;
      // The first has no file before it. The sixth follows one with anonymous groups, whose loss no
      // list shows.
      EXPECT_EQ(tracker.continuity(),
                number == 1 || number == 6 ? Continuity::unknown : Continuity::follows)
          << number;
      EXPECT_TRUE(tracker.mysql_gtids().known());
    }
    EXPECT_EQ(tracker.unfinished_group_count(), 0U);
    // @@gtid_executed after the last one.
    const auto executed = MysqlGtidSet::parse(
        "11111111-2222-3333-4444-555555555555:1-3:5:x:1000000000000,\n"
        "5f1e7a70-0001-4b00-8000-00000000000a:1-26:a_tag_of_thirty_two_characters_x:1:binlane:1-5,"
        "\nffffffff-2222-3333-4444-555555555555:2:y:9223372036854775806");
    MysqlGtidState expected;
    for (const auto& [tsid, intervals] : executed->by_tsid()) {
      for (const GnoInterval& interval : intervals) expected.add(tsid, interval);
    }
    EXPECT_TRUE(tracker.mysql_gtids().state().same_as(expected));
  }
}

TEST(MysqlGtidTrail, AMissingGroupIsADifference) {
  EXPECT_EQ(after(1, {}).continuity(), Continuity::follows);
  EXPECT_EQ(after(2, {}).continuity(), Continuity::follows);
  struct Case {
    std::uint32_t file;
    int group;
    const char* missing;
  };
  for (const Case& lost : {
           Case{1, 0, "5f1e7a70-0001-4b00-8000-00000000000a:1"},
           Case{1, 21, "5f1e7a70-0001-4b00-8000-00000000000a:22"},
           Case{2, 0, "5f1e7a70-0001-4b00-8000-00000000000a:binlane:1"},
           Case{2, 2, "5f1e7a70-0001-4b00-8000-00000000000a:a_tag_of_thirty_two_characters_x:1"},
           Case{2, 5, "11111111-2222-3333-4444-555555555555:x:1000000000000"},
       }) {
    const auto tracker =
        after(lost.file, [&](Events& events) { remove_group(events, lost.group); });
    EXPECT_EQ(tracker.continuity(), Continuity::differs) << lost.missing;
    EXPECT_EQ(discontinuity_text(tracker),
              std::string("it does not go on where the file before it ends: the next file says "
                          "that ") +
                  lost.missing + " was written, but the file does not hold it");
  }
}

TEST(MysqlGtidTrail, AGroupThatTheNextFileDoesNotListIsADifference) {
  // The third file lists what the first two contain, so it does not follow the fifth or a third
  // with another group.
  const Events third = test::mysql_events("binlog.000003");
  GroupTracker tracker;
  tracker.start_file(3);
  ASSERT_TRUE(feed(tracker, file_of(third), 64));
  tracker.start_file(4);
  ASSERT_TRUE(feed(tracker, file_of(third), 64));
  EXPECT_EQ(tracker.continuity(), Continuity::differs);
  EXPECT_EQ(tracker.mysql_gtids().difference(),
            "the file holds 11111111-2222-3333-4444-555555555555:2, but the next file does not "
            "list it");
  // An empty list, as after a reset.
  EXPECT_EQ(after(1, {}, [](Events& events) { events[1] = test::mysql_events("binlog.000001")[1]; })
                .continuity(),
            Continuity::differs);
}

// Half of the last group: it is no whole group, so the next file must not list it.
TEST(MysqlGtidTrail, ATornGroupIsNotPartOfTheState) {
  const auto tracker = after(3, [](Events& events) { events.resize(events.size() - 2); });
  EXPECT_EQ(tracker.continuity(), Continuity::differs);
  // Cut off by the event that ends the file.
  const auto cut_off = after(3, [](Events& events) { events.erase(events.end() - 2); });
  EXPECT_EQ(cut_off.continuity(), Continuity::differs);
  EXPECT_EQ(cut_off.unfinished_group_count(), 1U);
  const auto listed = after(
      2,
      [](Events& events) {
        // Two whole groups with tags, and the beginning of a third one.
        remove_rest_after(events, 2 + 5 + 5 + 2);
      },
      [](Events& events) {
        auto set = MysqlGtidSet::parse("5f1e7a70-0001-4b00-8000-00000000000a:1-22:binlane:1-2");
        auto& list = events[1].bytes;
        list.resize(kEventHeaderSize);
        const auto body = set->encode(MysqlGtidEncoding::tagged);
        list.insert(list.end(), body.begin(), body.end());
        list.resize(list.size() + kEventChecksumSize);
      });
  EXPECT_EQ(listed.continuity(), Continuity::follows) << listed.mysql_gtids().difference();
}

TEST(MysqlGtidTrail, WhatCannotBeComparedIsUnknown) {
  // Not the next file.
  EXPECT_EQ(after(1, {}, {}, 2).continuity(), Continuity::unknown);
  // No list in either file.
  const Change no_list = [](Events& events) { events.erase(events.begin() + 1); };
  EXPECT_EQ(after(1, {}, no_list).continuity(), Continuity::unknown);
  EXPECT_EQ(after(1, no_list).continuity(), Continuity::unknown);
  // A list that is none.
  const Change bad_list = [](Events& events) {
    events[1].bytes[kEventHeaderSize + 7] = std::byte{9};
  };
  EXPECT_EQ(after(1, {}, bad_list).continuity(), Continuity::unknown);
  EXPECT_EQ(after(1, bad_list).continuity(), Continuity::unknown);
  EXPECT_FALSE(after(1, {}, bad_list).mysql_gtids().known());
  // A GTID event of an unknown version.
  const Change bad_gtid = [](Events& events) {
    events[2].bytes[kEventHeaderSize] = std::byte{0x06};
  };
  EXPECT_EQ(after(2, bad_gtid).continuity(), Continuity::unknown);
  // Anonymous groups may be lost without a trace; but what is listed must still be there.
  EXPECT_EQ(after(5, {}).continuity(), Continuity::unknown);
  EXPECT_EQ(after(5, {}, [](Events& events) { events[1] = test::mysql_events("binlog.000003")[1]; })
                .continuity(),
            Continuity::differs);
}

// The list at the file's beginning is the one that counts.
TEST(MysqlGtidTrail, AListElsewhereIsNone) {
  const auto tracker = after(2, {}, [](Events& events) {
    events.insert(events.end() - 1, test::mysql_events("binlog.000001")[1]);
  });
  EXPECT_EQ(tracker.continuity(), Continuity::follows);
  EXPECT_TRUE(tracker.mysql_gtids().state().contains(
      *parse_mysql_gtid("11111111-2222-3333-4444-555555555555:5")));
}

// More than the state holds: unknown, in this file and after it, until a list fits again.
TEST(MysqlGtidTrail, BeyondTheCapacityItIsUnknown) {
  const auto with_list = [](const std::string& text) -> Change {
    return [text](Events& events) {
      const auto body = MysqlGtidSet::parse(text)->encode(MysqlGtidEncoding::tagged);
      auto& list = events[1].bytes;
      list.resize(kEventHeaderSize);
      list.insert(list.end(), body.begin(), body.end());
      list.resize(list.size() + kEventChecksumSize);
    };
  };
  const std::string uuid = "11111111-2222-3333-4444-555555555555";
  std::string fits = uuid;
  for (std::uint32_t i = 0; i < MysqlGtidState::kMaxIntervals; ++i)
    fits += ":" + std::to_string(10 + 2 * i);
  const std::string large = fits + ":1000000";
  EXPECT_EQ(after(4, with_list(fits), with_list(fits)).continuity(), Continuity::follows);
  EXPECT_EQ(after(4, with_list(large), with_list(large)).continuity(), Continuity::unknown);
  EXPECT_EQ(after(4, with_list(fits), with_list(large)).continuity(), Continuity::unknown);
  // The list fits, and a group of the file does not.
  EXPECT_EQ(after(7, with_list(fits), with_list(fits)).continuity(), Continuity::unknown);
}

TEST(MysqlGtidTrail, NothingIsAllocated) {
  std::vector<Bytes> files;
  for (std::uint32_t number = 1; number <= kFiles; ++number)
    files.push_back(test::bytes_of(test::mysql_data(file_name(number))));
  const std::uint64_t before = test::allocation_count();
  GroupTracker tracker;
  bool whole = true;
  for (std::uint32_t number = 1; number <= kFiles; ++number) {
    tracker.start_file(number);
    whole = feed(tracker, files[number - 1], 100) && whole;
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(whole);
}

// Whatever the bytes are: nothing is read outside them, and nothing is asserted.
TEST(MysqlGtidTrail, RandomDamageNeverLeadsOutside) {
  std::uint64_t random = 88172645463325252ULL;
  const auto next = [&random] {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  };
  const Bytes second = test::bytes_of(test::mysql_data("binlog.000002"));
  const Bytes third = test::bytes_of(test::mysql_data("binlog.000003"));
  for (int round = 0; round < 2000; ++round) {
    GroupTracker tracker;
    tracker.start_file(2);
    Bytes bytes = second;
    for (int i = 0; i <= round % 4; ++i)
      bytes[next() % bytes.size()] = static_cast<std::byte>(next());
    feed(tracker, bytes, 1 + next() % 64);
    tracker.start_file(3);
    bytes = third;
    bytes[next() % 520] = static_cast<std::byte>(next());
    feed(tracker, bytes, 1 + next() % 64);
    EXPECT_LE(tracker.last_group_end(), tracker.end());
  }
}

}  // namespace binlane::mysql_gtid_trail_test

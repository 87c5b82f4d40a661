#include "shim/binlog/stream_map.h"

#include <gtest/gtest.h>

#include "shim/binlog/tail_window.h"

namespace binlane {
namespace {

FileEnd ended(std::uint32_t file, std::uint64_t size) {
  return {file, size, size, 0};
}

TEST(StreamMap, FileEndsTakeOneUnit) {
  StreamMap map;
  map.begin(999'999);
  map.end_file(ended(999'999, 100));
  map.end_file(ended(1'000'000, 0));
  map.end_file(ended(1'000'001, (5ULL << 32)));
  EXPECT_EQ(map.current_file(), 1'000'002U);
  EXPECT_EQ(map.linear_of({999'999, 0}), 0U);
  EXPECT_EQ(map.linear_of({999'999, 100}), 100U);
  EXPECT_EQ(map.linear_of({999'999, 101}), std::nullopt);
  EXPECT_EQ(map.linear_of({1'000'000, 0}), 101U);
  EXPECT_EQ(map.linear_of({1'000'001, 0}), 102U);
  EXPECT_EQ(map.linear_of({1'000'001, 5ULL << 32}), 102U + (5ULL << 32));
  EXPECT_EQ(map.linear_of({1'000'002, 7}), 103U + (5ULL << 32) + 7);
  EXPECT_EQ(map.linear_of({1'000'003, 0}), std::nullopt);
  EXPECT_EQ(map.linear_of({999'998, 0}), std::nullopt);
  EXPECT_EQ(map.end_of(1'000'000)->final_size, 0U);
  EXPECT_FALSE(map.end_of(1'000'002));
  EXPECT_FALSE(map.end_of(1));
}

TEST(StreamMap, PositionAndLinearAreInverse) {
  StreamMap map;
  map.begin(3);
  for (std::uint32_t file = 3; file < 40; ++file) map.end_file(ended(file, file % 5));
  for (std::uint64_t linear = 0; linear < map.current_begin() + 10; ++linear) {
    const auto position = map.position_of(linear);
    ASSERT_TRUE(position);
    ASSERT_EQ(map.linear_of(*position), linear);
    if (position->file < map.current_file()) {
      ASSERT_LE(position->offset, map.end_of(position->file)->final_size);
    }
  }
}

TEST(StreamMap, TheOldestFileDropsOffAndTheOriginStays) {
  StreamMap map(4);
  map.begin(1);
  for (std::uint32_t file = 1; file <= 10; ++file) map.end_file(ended(file, 9));
  EXPECT_EQ(map.first_file(), 8U);
  EXPECT_EQ(map.current_file(), 11U);
  EXPECT_EQ(map.dropped_count(), 7U);
  EXPECT_EQ(map.front(), 70U);
  EXPECT_EQ(map.position_of(69), std::nullopt);
  EXPECT_EQ(map.position_of(70), (Position{8, 0}));
  EXPECT_EQ(map.linear_of({7, 1}), std::nullopt);
  EXPECT_EQ(map.linear_of({11, 5}), 105U);
  map.drop_before(10);
  EXPECT_EQ(map.first_file(), 10U);
  map.drop_before(100);
  EXPECT_EQ(map.first_file(), 11U);
  EXPECT_EQ(map.current_begin(), 100U);
  EXPECT_EQ(map.front(), 100U);
}

TEST(StreamMap, EmptyKnowsNothing) {
  const StreamMap map;
  EXPECT_EQ(map.position_of(0), std::nullopt);
  EXPECT_EQ(map.linear_of({1, 0}), std::nullopt);
  EXPECT_FALSE(map.end_of(0));
}

TEST(TailWindow, KeepsTheNewestBytesAroundTheWrap) {
  TailWindow window(64);
  const auto byte_at = [](std::uint64_t linear) { return static_cast<std::byte>(linear * 7); };
  window.reset(1000);
  std::uint64_t end = 1000;
  for (int round = 0; round < 200; ++round) {
    const MutableBytes room = window.room(static_cast<std::size_t>(1 + round % 20));
    ASSERT_FALSE(room.empty());
    for (std::size_t at = 0; at < room.size(); ++at) room[at] = byte_at(end + at);
    window.add(room.size());
    end += room.size();
    ASSERT_EQ(window.end(), end);
    ASSERT_FALSE(window.holds(end));
    for (std::uint64_t from = end > 1064 ? end - 64 : 1000; from < end; ++from) {
      ASSERT_TRUE(window.holds(from));
      std::byte out[64];
      const std::size_t count = window.copy(from, out);
      ASSERT_EQ(count, end - from);
      for (std::size_t at = 0; at < count; ++at) ASSERT_EQ(out[at], byte_at(from + at));
    }
    ASSERT_EQ(window.holds(end - 65), false);
  }
}

TEST(TailWindow, RoomThatWasHandedOutNoLongerCounts) {
  TailWindow window(64);
  window.reset(0);
  EXPECT_EQ(window.room(64).size(), 64U);
  window.add(64);
  EXPECT_TRUE(window.holds(0));
  EXPECT_EQ(window.room(10).size(), 10U);
  EXPECT_FALSE(window.holds(9));
  EXPECT_TRUE(window.holds(10));
}

}  // namespace
}  // namespace binlane

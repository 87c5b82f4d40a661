// Positions are compared as numbers; the servers' names are read and written as they write them.
#include "base/position.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace binlane {
namespace {

// Safety rule S17: as strings the files from 1000000 on would sort before 999999.
TEST(PositionTest, ComparesAsNumbers) {
  const std::vector<Position> ordered = {
      {0, 0},       {1, 4},       {1, 4'294'967'296}, {2, 0},         {10, 0},
      {999'999, 4}, {999'999, 9}, {1'000'000, 4},     {1'000'001, 0}, {4'294'967'295, 0}};
  EXPECT_TRUE(std::is_sorted(ordered.begin(), ordered.end()));
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t k = 0; k < ordered.size(); ++k) {
      EXPECT_EQ(ordered[i] < ordered[k], i < k) << to_string(ordered[i]) << to_string(ordered[k]);
      EXPECT_EQ(ordered[i] == ordered[k], i == k);
    }
  }
}

TEST(PositionTest, NamesAndNumbersAreEachOthersInverse) {
  for (const std::uint32_t number : {1U, 999'999U, 1'000'000U, 4'294'967'295U})
    EXPECT_EQ(binlog_file_number(binlog_file_name("a.b", number)), number);
  for (const char* name : {"binlog", "binlog.", "binlog.1x", "binlog.-1", "binlog.4294967296", ""})
    EXPECT_EQ(binlog_file_number(name), 0U) << name;
}

}  // namespace
}  // namespace binlane

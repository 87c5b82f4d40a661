// AppliedGroups and the positions that go with it.
#include "shim/feed/applied_groups.h"

#include <gtest/gtest.h>

#include <string>

#include "control/replica/applied_watch.h"

namespace binlane {
namespace {

GtidSet at(const std::string& text) {
  return GtidSet::parse(GtidGrammar::mariadb, text).value();
}

TEST(AppliedGroups, ShowsTheUnbrokenBeginningThatIsExecuted) {
  AppliedGroups groups;
  groups.add(at("0-1-5,7-2-9"), {1, 100});  // everything up to where the watch began
  groups.add(at("0-1-6"), {1, 200});
  groups.add(at("7-2-10"), {1, 300});
  groups.add(at("0-1-7"), {2, 50});
  EXPECT_TRUE(groups.take_executed(at("0-1-5")).is_null()) << "a domain is missing";
  EXPECT_EQ(groups.next().text(), "0-1-5,7-2-9");
  EXPECT_EQ(groups.take_executed(at("0-1-5,7-2-9")), (Position{1, 100}));
  // Side by side: the later one of another domain was executed first.
  EXPECT_EQ(groups.take_executed(at("0-1-7,7-2-9")), (Position{1, 200}));
  EXPECT_TRUE(groups.take_executed(at("0-1-7,7-2-9")).is_null());
  EXPECT_EQ(groups.take_executed(at("0-1-7,7-2-10")), (Position{2, 50}));
  EXPECT_TRUE(groups.empty());
}

TEST(AppliedGroups, IsBounded) {
  AppliedGroups groups;
  for (std::size_t i = 0; i < AppliedGroups::kCapacity; ++i) {
    EXPECT_FALSE(groups.full());
    groups.add(at("0-1-" + std::to_string(i + 1)), {1, i + 1});
  }
  EXPECT_TRUE(groups.full());
  EXPECT_EQ(groups.take_executed(at("0-1-1")), (Position{1, 1}));
  EXPECT_FALSE(groups.full());
}

TEST(UnitsBetween, CountsBytesAndOneForEveryEndOfAFile) {
  const auto size_of = [](std::uint32_t file) -> std::optional<std::uint64_t> {
    if (file == 3) return 500;
    if (file == 4) return 40;
    return std::nullopt;
  };
  EXPECT_EQ(units_between({3, 100}, {3, 250}, size_of), 150U);
  EXPECT_EQ(units_between({3, 100}, {4, 7}, size_of), 400U + 1 + 7);
  EXPECT_EQ(units_between({3, 100}, {5, 0}, size_of), 400U + 1 + 40 + 1);
  EXPECT_EQ(units_between({5, 0}, {6, 4}, size_of), std::nullopt) << "file 5's size is not known";
  EXPECT_EQ(units_between({4, 41}, {5, 0}, size_of), std::nullopt) << "beyond its file's end";
}

}  // namespace
}  // namespace binlane

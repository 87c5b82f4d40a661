#include "shim/feed/gtid_filter.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

GtidHistory history_of(std::initializer_list<GtidEntry> groups) {
  GtidHistory history;
  for (const GtidEntry& gtid : groups) history.set(gtid);
  return history;
}

GtidRequest request_of(const char* start) {
  GtidRequest request;
  request.start = *GtidPosition::parse(start);
  request.replica_server_id = 12;
  return request;
}

// Shows the filter groups; says 's' (sent), '-' (skipped) or 'e' (error) for each.
std::string shown(GtidFilter& filter, std::initializer_list<GtidEntry> groups) {
  std::string result;
  for (const GtidEntry& gtid : groups) {
    const auto verdict = filter.on_group({gtid, 0});
    result += verdict.error ? 'e' : verdict.send ? 's' : '-';
  }
  return result;
}

bool needs_nothing(const char* position, std::vector<GtidEntry> list) {
  return needs_nothing_before(*GtidPosition::parse(position), list);
}

TEST(NeedsNothingBefore, KnowsWhereAReplicaCanBegin) {
  EXPECT_TRUE(needs_nothing("", {}));
  EXPECT_TRUE(needs_nothing("0-1-5", {}));
  EXPECT_FALSE(needs_nothing("", {{0, 1, 5}}));       // it lacks the domain's beginning
  EXPECT_FALSE(needs_nothing("0-1-4", {{0, 1, 5}}));  // and here its end
  EXPECT_TRUE(needs_nothing("0-1-5", {{0, 1, 5}}));   // exactly up to the file
  EXPECT_TRUE(needs_nothing("0-1-6", {{0, 1, 5}}));
  EXPECT_FALSE(needs_nothing("0-1-5", {{0, 1, 5}, {0, 2, 6}}));  // 0-2-6 came after it
  EXPECT_TRUE(needs_nothing("0-2-6", {{0, 1, 5}, {0, 2, 6}}));
  EXPECT_TRUE(needs_nothing("0-2-7", {{0, 1, 5}, {0, 2, 6}}));
  EXPECT_FALSE(needs_nothing("0-1-5", {{0, 1, 5}, {1, 1, 1}}));
  EXPECT_TRUE(needs_nothing("0-1-5,1-1-1", {{0, 1, 5}, {1, 1, 1}}));
  EXPECT_TRUE(needs_nothing("0-1-5,9-9-9", {{0, 1, 5}}));
}

TEST(GtidFilter, SendsWhatComesAfterTheStart) {
  GtidFilter filter(request_of("0-1-5,1-1-2"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}, {1, 1, 7}})));
  EXPECT_FALSE(filter.start_reached());
  filter.begin({});
  EXPECT_EQ(shown(filter, {{0, 1, 4}, {1, 1, 1}, {0, 1, 5}}), "---");
  EXPECT_TRUE(filter.take_start_note());
  EXPECT_FALSE(filter.take_start_note());
  EXPECT_FALSE(filter.start_reached());
  EXPECT_EQ(shown(filter, {{0, 1, 6}, {1, 1, 2}, {1, 1, 3}, {7, 1, 1}, {0, 2, 7}}), "s-sss");
  EXPECT_TRUE(filter.start_reached());
  EXPECT_FALSE(filter.ahead_of());
  EXPECT_EQ(filter.seen().position().text(), "0-2-7,1-1-3,7-1-1");
}

TEST(GtidFilter, SkipsNothingOfADomainHeldUpToTheFile) {
  GtidFilter filter(request_of("0-1-5,1-1-2"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}, {1, 1, 2}})));
  filter.begin(std::vector<GtidEntry>{{0, 1, 5}, {1, 1, 2}});
  EXPECT_TRUE(filter.start_reached());
  EXPECT_EQ(shown(filter, {{0, 1, 6}, {1, 7, 1}}), "ss");
  EXPECT_FALSE(filter.take_start_note());
}

TEST(GtidFilter, OtherServersGroupsBeforeTheStartAreHeldToo) {
  GtidFilter filter(request_of("0-2-5"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 4}, {0, 2, 5}, {0, 1, 6}})));
  EXPECT_EQ(shown(filter, {{0, 1, 4}, {0, 2, 5}, {0, 1, 6}}), "--s");
}

TEST(GtidFilter, AHoleIsAnErrorInStrictModeOnly) {
  for (const bool strict : {false, true}) {
    GtidRequest request = request_of("0-1-5");
    request.strict = strict;
    GtidFilter filter(request);
    EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
    EXPECT_EQ(shown(filter, {{0, 1, 4}, {0, 1, 6}}), strict ? "-e" : "-s");
  }
  GtidRequest request = request_of("0-1-5");
  request.strict = true;
  GtidFilter filter(request);
  const auto verdict = filter.on_group({{0, 1, 6}, 0});
  ASSERT_TRUE(verdict.error);
  EXPECT_EQ(verdict.error->code, kFatalDumpError);
  EXPECT_NE(verdict.error->message.find("missing the GTID 0-1-5"), std::string::npos);
}

TEST(GtidFilter, RefusesADivergedReplica) {
  GtidFilter filter(request_of("0-12-9"));
  const auto error = filter.check_start(history_of({{0, 1, 9}}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, kFatalDumpError);
  EXPECT_NE(error->message.find("0-12-9"), std::string::npos);
  EXPECT_NE(error->message.find("diverged"), std::string::npos);
}

TEST(GtidFilter, RefusesTheReplicasOwnTransactions) {
  GtidFilter filter(request_of("0-12-10"));
  const auto error = filter.check_start(history_of({{0, 1, 9}}));
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("not in the master's binlog"), std::string::npos);
  EXPECT_EQ(error->message.find("diverged"), std::string::npos);
}

TEST(GtidFilter, WaitsForAGtidThatIsAhead) {
  GtidFilter filter(request_of("0-1-12"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  filter.begin(std::vector<GtidEntry>{{0, 1, 8}});
  ASSERT_TRUE(filter.ahead_of());
  EXPECT_EQ(to_string(*filter.ahead_of()), "0-1-12");
  EXPECT_EQ(shown(filter, {{0, 1, 9}, {0, 1, 10}, {0, 1, 12}}), "---");
  EXPECT_FALSE(filter.ahead_of());
  EXPECT_EQ(shown(filter, {{0, 1, 13}}), "s");
}

TEST(GtidFilter, RefusesWhenWhatWasAheadTurnsOutToBeDiverged) {
  GtidFilter filter(request_of("0-1-12"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  EXPECT_EQ(shown(filter, {{0, 1, 9}, {0, 3, 11}, {0, 3, 12}}), "--e");
}

TEST(GtidFilter, ADomainUnknownToTheArchiveIsFine) {
  GtidFilter filter(request_of("0-1-9,4-4-4"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  filter.begin(std::vector<GtidEntry>{{0, 1, 9}});
  EXPECT_TRUE(filter.start_reached());
  EXPECT_FALSE(filter.ahead_of());
  // It appears after all: what the replica already holds of it is skipped.
  EXPECT_EQ(shown(filter, {{0, 1, 10}, {4, 4, 3}, {4, 4, 4}, {4, 4, 5}}), "s--s");
}

TEST(GtidFilter, ADomainUnknownToTheArchiveMayTurnOutDiverged) {
  GtidFilter filter(request_of("4-4-4"));
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  EXPECT_EQ(shown(filter, {{4, 1, 4}}), "e");
}

TEST(GtidFilter, IgnoringDuplicatesToleratesWhatIsAhead) {
  GtidRequest request = request_of("0-1-12");
  request.ignore_duplicates = true;
  GtidFilter filter(request);
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  EXPECT_FALSE(filter.ahead_of());
}

TEST(GtidFilter, StopsAtTheUntilPosition) {
  GtidRequest request = request_of("0-1-5");
  request.until = GtidPosition::parse("0-1-7,1-1-2");
  GtidFilter filter(request);
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}, {1, 1, 3}})));
  filter.begin({});
  EXPECT_EQ(shown(filter, {{0, 1, 5}, {0, 1, 6}, {1, 1, 1}, {0, 1, 7}, {0, 1, 8}, {2, 1, 1}}),
            "-sss--");
  EXPECT_FALSE(filter.finished());
  EXPECT_EQ(shown(filter, {{1, 1, 2}}), "s");
  EXPECT_TRUE(filter.finished());
}

TEST(GtidFilter, AnUntilPositionThatIsMissingOrPassedStops) {
  GtidRequest request = request_of("");
  request.until = GtidPosition::parse("0-1-7,1-1-1");
  GtidFilter filter(request);
  EXPECT_FALSE(filter.check_start(history_of({{0, 1, 9}})));
  filter.begin(std::vector<GtidEntry>{{1, 1, 1}});
  EXPECT_FALSE(filter.finished());
  EXPECT_EQ(shown(filter, {{0, 1, 6}, {0, 1, 8}}), "s-");
  EXPECT_TRUE(filter.finished());

  // A stop that the archive holds, before a start that it does not hold: nothing to do.
  GtidRequest before = request_of("0-1-12");
  before.until = GtidPosition::parse("0-1-7");
  GtidFilter done(before);
  EXPECT_FALSE(done.check_start(history_of({{0, 1, 9}})));
  EXPECT_TRUE(done.finished());
}

}  // namespace
}  // namespace binlane

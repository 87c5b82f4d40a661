#include "control/failover/fitness_watch.h"

#include <gtest/gtest.h>

#include "fake_standby_server.h"

namespace binlane {
namespace {

// Every look that is due, a turn after the other, until the watch has nothing more to ask.
void look_until_done(FitnessWatch& watch, std::uint64_t from_ns) {
  for (std::uint64_t at = from_ns; at <= from_ns + OwnWrites::kPatienceNs;
       at += kNanosPerSecond / 2)
    watch.look(at);
}

TEST(FitnessWatch, AServerThatCouldTakeOverIsNoProblem) {
  FakeStandbyServer server;
  FitnessWatch watch(server);
  look_until_done(watch, 1);
  EXPECT_EQ(watch.problem(), "");
}

TEST(FitnessWatch, SaysWhyAPromotionWouldBeRefused) {
  FakeStandbyServer server;
  FitnessWatch watch(server);
  server.unfit = "source and replicas must be servers of one kind";
  watch.look(1);
  EXPECT_EQ(watch.problem(), server.unfit);
  // It is asked again, but not at every turn.
  server.unfit.clear();
  watch.look(FitnessWatch::kLookEveryNs);
  EXPECT_EQ(server.checks, 1);
  look_until_done(watch, 1 + FitnessWatch::kLookEveryNs);
  EXPECT_EQ(watch.problem(), "");
}

TEST(FitnessWatch, NamesWhatTheServerHasWrittenByItself) {
  FakeStandbyServer server;
  FitnessWatch watch(server);
  server.written = "0-1-10,5-2-1";
  watch.look(1);
  EXPECT_EQ(watch.problem(), "");  // it may be what it executes at this moment
  look_until_done(watch, 1);
  EXPECT_NE(watch.problem().find("5-2-1"), std::string::npos) << watch.problem();
  watch.start_over();
  EXPECT_EQ(watch.problem(), "");
}

// A new standby's archive is empty for a while, and says nothing about the server.
TEST(FitnessWatch, WhatCannotBeToldIsNoProblem) {
  FakeStandbyServer server;
  FitnessWatch watch(server);
  server.answer = false;
  look_until_done(watch, 1);
  EXPECT_EQ(watch.problem(), "");
}

}  // namespace
}  // namespace binlane

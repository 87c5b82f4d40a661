// LaneQuiesce: control is sure of the lane before it touches anything.
#include "dataplane/lane/lane_quiesce.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

TEST(LaneQuiesce, ALaneBeginsStandingOnceItHasLooked) {
  LaneQuiesce pause;
  EXPECT_FALSE(pause.is_quiesced());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.is_quiesced());
}

TEST(LaneQuiesce, ResumedItRuns) {
  LaneQuiesce pause;
  EXPECT_TRUE(pause.stand());
  pause.resume();
  EXPECT_FALSE(pause.is_quiesced());
  EXPECT_FALSE(pause.stand());
  pause.request();
  EXPECT_FALSE(pause.is_quiesced());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.is_quiesced());
}

// The lane has not looked since it was resumed, and is about to run.
TEST(LaneQuiesce, AStandThatIsOverIsNotTakenForTheNextOne) {
  LaneQuiesce pause;
  EXPECT_TRUE(pause.stand());
  pause.resume();
  pause.request();
  EXPECT_FALSE(pause.is_quiesced());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.is_quiesced());
}

TEST(LaneQuiesce, AskingAndResumingTwiceIsAskingAndResuming) {
  LaneQuiesce pause;
  pause.request();
  EXPECT_TRUE(pause.stand());
  pause.request();
  EXPECT_TRUE(pause.is_quiesced());
  pause.resume();
  pause.resume();
  EXPECT_FALSE(pause.stand());
}

}  // namespace
}  // namespace binlane

// LanePause: control is sure of the lane before it touches anything.
#include "dataplane/lane_pause.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

TEST(LanePause, ALaneBeginsStandingOnceItHasLooked) {
  LanePause pause;
  EXPECT_FALSE(pause.standing());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.standing());
}

TEST(LanePause, ResumedItRuns) {
  LanePause pause;
  EXPECT_TRUE(pause.stand());
  pause.resume();
  EXPECT_FALSE(pause.standing());
  EXPECT_FALSE(pause.stand());
  pause.request();
  EXPECT_FALSE(pause.standing());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.standing());
}

// The lane has not looked since it was let go, and is about to run.
TEST(LanePause, AStandThatIsOverIsNotTakenForTheNextOne) {
  LanePause pause;
  EXPECT_TRUE(pause.stand());
  pause.resume();
  pause.request();
  EXPECT_FALSE(pause.standing());
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.standing());
}

TEST(LanePause, AskingAndResumingTwiceIsAskingAndResuming) {
  LanePause pause;
  pause.request();
  EXPECT_TRUE(pause.stand());
  pause.request();
  EXPECT_TRUE(pause.standing());
  pause.resume();
  pause.resume();
  EXPECT_FALSE(pause.stand());
}

}  // namespace
}  // namespace binlane

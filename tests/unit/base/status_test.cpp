#include "base/status.h"

#include <gtest/gtest.h>

#include <string>

namespace binlane {
namespace {

Result<int> half_of(int number) {
  if (number < 0) return Status::pending();
  if (number % 2 != 0) return Status::failed("odd");
  return number / 2;
}

TEST(Status, IsOneOfThree) {
  EXPECT_TRUE(Status().is_ok());
  EXPECT_TRUE(Status::ok().is_ok());
  EXPECT_TRUE(Status::pending().is_pending());
  EXPECT_FALSE(Status::pending().is_ok());
  const Status failed = Status::failed("the disk is full");
  EXPECT_TRUE(failed.is_failed());
  EXPECT_EQ(failed.text(), "the disk is full");
}

TEST(Status, AFailureSaysWhatWentWrong) {
  EXPECT_DEATH(static_cast<void>(Status::failed("")), "text");
}

TEST(Result, IsAValueOrAStatus) {
  EXPECT_EQ(half_of(8).value(), 4);
  EXPECT_TRUE(half_of(-1).status().is_pending());
  EXPECT_EQ(half_of(3).status().text(), "odd");
  EXPECT_FALSE(half_of(3).is_ok());
}

TEST(Result, AFailureHasNoValue) {
  EXPECT_DEATH(static_cast<void>(half_of(3).value()), "value_");
}

}  // namespace
}  // namespace binlane

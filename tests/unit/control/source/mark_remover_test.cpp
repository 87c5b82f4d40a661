// MarkRemover: a disk that takes nothing is not asked in every turn.
#include "control/source/mark_remover.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace binlane {
namespace {

class CountingMark final : public DurableMark {
 public:
  bool is_set() const override { return set_; }
  int set() override {
    set_ = true;
    return 0;
  }
  int clear() override {
    ++tries;
    if (error == 0) set_ = false;
    return error;
  }
  const std::string& path() const override { return path_; }

  int error = 0;
  int tries = 0;

 private:
  std::string path_ = "degrade.mark";
  bool set_ = true;
};

TEST(MarkRemover, TriesOnceASecondUntilItIsGone) {
  CountingMark mark;
  mark.error = EIO;
  MarkRemover remover(mark);
  std::uint64_t now = kNanosPerSecond;
  for (int turn = 0; turn < 100; ++turn) EXPECT_FALSE(remover.remove(now + turn * kNanosPerMilli));
  EXPECT_EQ(mark.tries, 1);
  now += MarkRemover::kAgainNs;
  EXPECT_FALSE(remover.remove(now));
  EXPECT_EQ(mark.tries, 2);
  mark.error = 0;
  EXPECT_FALSE(remover.remove(now));
  now += MarkRemover::kAgainNs;
  EXPECT_TRUE(remover.remove(now));
  EXPECT_FALSE(mark.is_set());
  EXPECT_FALSE(remover.remove(now + MarkRemover::kAgainNs));
  EXPECT_EQ(mark.tries, 3);
}

}  // namespace
}  // namespace binlane

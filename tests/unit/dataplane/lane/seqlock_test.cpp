// SeqlockValue and SpscQueue between two threads.
#include "dataplane/lane/seqlock.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "base/spsc_queue.h"
#include "dataplane/lane/lane_quiesce.h"

namespace binlane {
namespace {

// A size that is no multiple of a word, and a rule that a torn read breaks.
struct Sample {
  std::array<std::uint64_t, 20> words{};
  std::uint8_t last = 0;

  static Sample of(std::uint64_t number) {
    Sample sample;
    for (std::size_t i = 0; i < sample.words.size(); ++i) sample.words[i] = number * (i + 1);
    sample.last = static_cast<std::uint8_t>(number);
    return sample;
  }
  bool whole() const {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] != words[0] * (i + 1)) return false;
    }
    return last == static_cast<std::uint8_t>(words[0]);
  }
};

TEST(SeqlockValue, ReadersSeeWholeValuesInOrder) {
  constexpr std::uint64_t kValues = 200'000;
  SeqlockValue<Sample> value;
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= kValues; ++i) value.store(Sample::of(i));
  });
  std::uint64_t last = 0;
  bool torn = false;
  bool backwards = false;
  while (last < kValues && !torn && !backwards) {
    const Sample sample = value.load();
    torn = !sample.whole();
    backwards = sample.words[0] < last;
    last = sample.words[0];
  }
  writer.join();
  EXPECT_FALSE(torn);
  EXPECT_FALSE(backwards);
}

TEST(SeqlockValue, BeginsWithAValueOfZeros) {
  SeqlockValue<Sample> value;
  EXPECT_EQ(value.load().words[7], 0U);
}

TEST(SpscQueue, KeepsOrderAndRefusesWhenFull) {
  SpscQueue<int, 4> queue;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.try_push(i));
  EXPECT_FALSE(queue.try_push(4));
  int value = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(queue.try_pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(queue.try_pop(value));
}

TEST(SpscQueue, LosesNothingBetweenTwoThreads) {
  constexpr std::uint64_t kValues = 200'000;
  SpscQueue<Sample, 16> queue;
  std::thread producer([&] {
    for (std::uint64_t i = 1; i <= kValues; ++i) {
      while (!queue.try_push(Sample::of(i))) std::this_thread::yield();
    }
  });
  std::uint64_t expected = 1;
  std::uint64_t wrong = 0;
  while (expected <= kValues) {
    Sample sample;
    if (!queue.try_pop(sample)) {
      std::this_thread::yield();
      continue;
    }
    if (!sample.whole() || sample.words[0] != expected) ++wrong;
    ++expected;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(LaneQuiesce, TheLaneStandsStillBetweenRequestAndResume) {
  LaneQuiesce pause;
  EXPECT_TRUE(pause.stand());  // it begins so
  EXPECT_TRUE(pause.is_quiesced());
  pause.resume();
  EXPECT_FALSE(pause.stand());
  EXPECT_FALSE(pause.is_quiesced());
  pause.request();
  EXPECT_FALSE(pause.is_quiesced());  // not before the lane has noticed
  EXPECT_TRUE(pause.stand());
  EXPECT_TRUE(pause.is_quiesced());
}

TEST(LaneQuiesce, HandsPlainObjectsFromThreadToThread) {
  LaneQuiesce pause;
  std::uint64_t object = 0;  // plain on purpose: a race detector sees a missing happens-before
  std::atomic<bool> ended{false};
  std::thread lane([&] {
    while (!ended.load()) {
      if (pause.stand()) {
        std::this_thread::yield();
      } else {
        ++object;
      }
    }
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 200; ++i) {
    pause.request();
    while (!pause.is_quiesced()) std::this_thread::yield();
    EXPECT_GE(object, last);
    object += 1'000'000;
    last = object;
    pause.resume();
    while (pause.is_quiesced()) std::this_thread::yield();
  }
  ended = true;
  lane.join();
  EXPECT_GE(object, last);
}

}  // namespace
}  // namespace binlane

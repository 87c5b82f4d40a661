// Tests of what a source remembers over a restart.
#include "control/stream/source_state.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "storage/durable_record.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

SourceState example() {
  SourceState state;
  state.origin = Uuid::random();
  state.epoch = {2, 7};
  state.basename = "binlog";
  state.server_run = "boot-1234/4711/99887766";
  state.stream_start = {1, 4};
  state.run_start = {17, 0};
  state.synced = {18, 5'000'000'000};
  state.quorum = {18, 4'999'999'999};
  state.looked = {18, 4'999'999'000};
  state.counters = {100, 2, 1};
  state.safe_marks = {{{2, 1}, {3, 4}}, {{2, 7}, {17, 300}}};
  state.anchor = {{18, 4'000'000'000}, 0xdeadbeef};
  state.unaccounted = true;
  state.promised = true;
  state.waits_committed = true;
  state.ended_in_order = true;
  return state;
}

TEST(SourceState, EncodesAndDecodes) {
  const SourceState state = example();
  EXPECT_EQ(decode_source_state(encode_source_state(state)), state);
  EXPECT_EQ(decode_source_state(encode_source_state(SourceState{})), SourceState{});
  SourceState longest = state;
  longest.basename.assign(kMaxStateBasenameLength, 'b');
  longest.server_run.assign(kMaxServerRunLength, 's');
  for (std::uint32_t i = 0; i < kMaxSafeMarks; ++i)
    longest.safe_marks.push_back({{3, i}, {i + 1, i}});
  longest.safe_marks.erase(longest.safe_marks.begin(), longest.safe_marks.begin() + 2);
  EXPECT_EQ(decode_source_state(encode_source_state(longest)), longest);
}

TEST(SourceState, SafeMarksAreBoundedAndShared) {
  std::vector<SafeMark> marks;
  remember_safe_mark(marks, {{1, 1}, {}});
  remember_safe_mark(marks, {{1, 2}, {5, 10}});
  remember_safe_mark(marks, {{1, 3}, {5, 10}});
  // A log of epoch 1.1 is held to 5:10 by the later entry just as well.
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks.back(), (SafeMark{{1, 3}, {5, 10}}));
  for (std::uint32_t i = 0; i < 2 * kMaxSafeMarks; ++i)
    remember_safe_mark(marks, {{1, 4 + i}, {6, i}});
  EXPECT_EQ(marks.size(), kMaxSafeMarks);
  EXPECT_EQ(marks.back().safe, (Position{6, 2 * kMaxSafeMarks - 1}));
}

TEST(SourceState, RefusesEveryOtherLengthAndVersion) {
  std::vector<std::byte> bytes = encode_source_state(example());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_source_state(ConstBytes(bytes).first(length))) << length;
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(decode_source_state(bytes));
  bytes.pop_back();
  bytes[0] = std::byte{1};
  EXPECT_FALSE(decode_source_state(bytes));
}

// Safety rule S3: registering acknowledges everything before.
TEST(SourceState, RegistersWhereAQuorumStood) {
  SourceState state = example();
  EXPECT_EQ(registration_position(state), state.quorum);
  // No client waits for what an earlier run of the server wrote.
  state.run_start = {19, 4};
  EXPECT_EQ(registration_position(state), (Position{19, 4}));
  state.quorum = {};
  EXPECT_EQ(registration_position(state), (Position{19, 4}));
}

TEST(SourceState, SurvivesInItsFile) {
  TemporaryDirectory directory;
  const std::string path = directory.file("source.state");
  SourceState state = example();
  {
    SourceStateFile file(path);
    EXPECT_FALSE(file.state());
    EXPECT_EQ(file.store(state), 0);
    state.quorum.offset += 1;
    EXPECT_EQ(file.store(state), 0);
    EXPECT_EQ(file.store(state), 0);
    EXPECT_EQ(file.stores(), 2U);  // what is equal is not written again
  }
  SourceStateFile file(path);
  ASSERT_TRUE(file.state());
  EXPECT_EQ(*file.state(), state);
}

TEST(SourceState, ForeignRecordsAreRefused) {
  TemporaryDirectory directory;
  const std::string path = directory.file("source.state");
  {
    DurableRecord record(path);
    const std::byte foreign[3] = {};
    ASSERT_EQ(record.store(foreign), 0);
  }
  EXPECT_THROW(SourceStateFile{path}, StartupError);
}

}  // namespace
}  // namespace binlane

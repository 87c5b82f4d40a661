// Tests of what tells a stream's binlogs from others with the same names (safety rules S3, S16).
#include "control/stream/stream_fingerprint.h"

#include <gtest/gtest.h>

#include "base/stream_digest.h"
#include "control/stream/source_state.h"
#include "support/binlog_writer.h"
#include "support/fake_binlog_files.h"
#include "support/numbered_binlog.h"

namespace binlane {
namespace {

using test::BinlogWriter;
using test::Bytes;
using test::FakeBinlogFiles;
using test::numbered_binlog;

constexpr std::uint32_t kFile = 3;

class StreamFingerprintTest : public ::testing::Test {
 protected:
  StreamFingerprintTest() { files.append(kFile, numbered_binlog(100, 40)); }
  Position end() { return {kFile, files.data(kFile).size()}; }
  FakeBinlogFiles files;
};

TEST_F(StreamFingerprintTest, TheSameStreamIsKnownAgainWhenItHasGrown) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  EXPECT_EQ(anchor.at, end());
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::same);
  BinlogWriter more;
  more.gtid(140);
  more.xid();
  files.append(kFile, more.bytes());
  files.data(kFile)[kInUseOffset] &= ~kInUseBit;  // the server has ended it since
  files.append(kFile + 1, numbered_binlog(141, 1));
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::same);
}

// RESET MASTER while binlaned was down; then the server wrote until the old position was passed.
// Registering at the persisted quorum would acknowledge all of it, and no replica has any of it.
TEST_F(StreamFingerprintTest, AResetThatNobodySawShowsThoughTheNumbersPassTheOldPlace) {
  SourceState state;
  state.quorum = state.synced = end();
  state.anchor = make_anchor(files, state.synced, {});
  files.replace(kFile, numbered_binlog(7, 80));
  files.append(kFile + 1, numbered_binlog(87, 80));
  ASSERT_GT((Position{kFile + 1, 4}), registration_position(state));  // names and lengths fit
  EXPECT_EQ(check_anchor(files, state.anchor), FingerprintCheck::differs);
}

// The very same groups again (a replayed dump): the file's own beginning tells.
TEST_F(StreamFingerprintTest, TheSameGroupsInAnotherFileAreAnotherStream) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  files.replace(kFile, numbered_binlog(100, 40, 1'700'000'000));
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::differs);
}

TEST_F(StreamFingerprintTest, TheSameBeginningWithOtherGroupsIsAnotherStream) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  Bytes& data = files.data(kFile);
  data[data.size() - 1] ^= std::byte{1};
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::differs);
}

TEST_F(StreamFingerprintTest, AShorterFileLostWhatWasSynced) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  files.truncate(kFile, files.data(kFile).size() - 1);
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::differs);
}

TEST_F(StreamFingerprintTest, WhatCannotBeReadIsNeverTakenForTheSame) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  files.read_error = EIO;
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::failed);
  files.read_error = 0;
  files.open_error = EACCES;
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::failed);
  files.open_error = 0;
  files.remove(kFile);
  EXPECT_EQ(check_anchor(files, anchor), FingerprintCheck::gone);
  EXPECT_EQ(files.open_count(), 0U);
}

// The first bytes of a file are the same in every file; the anchor before is still true.
TEST_F(StreamFingerprintTest, APlaceThatSaysNothingKeepsTheAnchorBefore) {
  const StreamFingerprint anchor = make_anchor(files, end(), {});
  files.append(kFile + 1, numbered_binlog(140, 0));
  EXPECT_EQ(make_anchor(files, {kFile + 1, 4}, anchor), anchor);
  EXPECT_EQ(make_anchor(files, {kFile + 7, 400}, anchor), anchor);
  EXPECT_EQ(make_anchor(files, {kFile, end().offset + 1}, anchor), anchor);
  EXPECT_EQ(check_anchor(files, StreamFingerprint{}), FingerprintCheck::none);
}

}  // namespace
}  // namespace binlane

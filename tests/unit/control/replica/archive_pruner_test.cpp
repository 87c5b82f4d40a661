// The pruner on real folders: what it lists, deletes and reports.
#include "control/replica/archive_pruner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/position.h"

namespace binlane {
namespace {

constexpr std::uint64_t kDay = 86'400;

struct Folder {
  std::string path;
  Folder() {
    std::string name = ::testing::TempDir() + "binlane-pruner-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void file(const std::string& name, std::size_t size, std::uint64_t age_s) const {
    const std::string file = path + "/" + name;
    std::ofstream(file) << std::string(size, 'x');
    const timespec at{::time(nullptr) - static_cast<std::time_t>(age_s), 0};
    const std::array<timespec, 2> times{at, at};
    if (::utimensat(AT_FDCWD, file.c_str(), times.data(), 0) != 0)
      throw std::runtime_error("utimensat");
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path + "/" + name); }
};

struct BrokenIo : ArchiveIo {
  int error = 0;
  int remove(const std::string& path) override {
    return error != 0 ? error : ArchiveIo::remove(path);
  }
};

RetentionFacts nobody_needs_anything() {
  RetentionFacts facts;
  facts.executed = Position{1000, 4};
  facts.in_session = true;
  facts.peers_need = 1000;
  return facts;
}

RetentionPolicy a_day() {
  RetentionPolicy policy;
  policy.keep_age_s = kDay;
  return policy;
}

TEST(ArchivePruner, DeletesOldFilesOfThatNameAndNothingElse) {
  Folder folder;
  for (std::uint32_t number = 1; number <= 5; ++number)
    folder.file(binlog_file_name("binlog", number), 10, 2 * kDay);
  folder.file("binlog.index", 10, 2 * kDay);
  folder.file("other.000001", 10, 2 * kDay);
  folder.file("binlog.000001.cut", 10, 2 * kDay);
  ArchiveIo io;
  ArchivePruner pruner(a_day(), io);
  const std::array<ArchiveFolder, 1> streams{{{folder.path, "binlog"}}};
  pruner.turn(streams, nobody_needs_anything(), 0);
  for (std::uint32_t number = 1; number <= 5; ++number)
    EXPECT_EQ(folder.has(binlog_file_name("binlog", number)), number > 3) << number;
  EXPECT_TRUE(folder.has("binlog.index"));
  EXPECT_TRUE(folder.has("other.000001"));
  EXPECT_TRUE(folder.has("binlog.000001.cut"));
  const ArchivePruner::View view = pruner.view();
  EXPECT_EQ(view.removed_files, 3U);
  EXPECT_EQ(view.removed_bytes, 30U);
  EXPECT_EQ(view.files, 2U);
  EXPECT_EQ(view.bytes, 20U);
  EXPECT_TRUE(view.free_bytes.has_value());
}

TEST(ArchivePruner, SortsByNumberAndDeletesAFewATurn) {
  Folder folder;
  for (std::uint32_t number = 999'990; number <= 1'000'010; ++number)
    folder.file(binlog_file_name("binlog", number), 1, 2 * kDay);
  ArchiveIo io;
  ArchivePruner pruner(a_day(), io);
  const std::array<ArchiveFolder, 1> streams{{{folder.path, "binlog"}}};
  RetentionFacts facts = nobody_needs_anything();
  facts.executed = Position{2'000'000, 4};
  facts.peers_need = 2'000'000;
  pruner.turn(streams, facts, 0);
  EXPECT_EQ(pruner.view().removed_files, ArchivePruner::kRemovalsPerTurn);
  EXPECT_FALSE(folder.has("binlog.999997"));
  EXPECT_TRUE(folder.has("binlog.999998"));
  EXPECT_FALSE(pruner.due(ArchivePruner::kTurnNs - 1));
  EXPECT_TRUE(pruner.due(ArchivePruner::kTurnNs));
  pruner.turn(streams, facts, 1);
  pruner.turn(streams, facts, 2);
  EXPECT_TRUE(folder.has("binlog.1000009"));
  EXPECT_TRUE(folder.has("binlog.1000010"));
  EXPECT_EQ(pruner.view().files, 2U);
}

// A later file must not go before an earlier one has gone: the archive would have a gap.
TEST(ArchivePruner, AFileThatCannotBeDeletedKeepsTheLaterOnes) {
  Folder folder;
  for (std::uint32_t number = 1; number <= 5; ++number)
    folder.file(binlog_file_name("binlog", number), 10, 2 * kDay);
  BrokenIo io;
  io.error = EROFS;
  ArchivePruner pruner(a_day(), io);
  const std::array<ArchiveFolder, 1> streams{{{folder.path, "binlog"}}};
  pruner.turn(streams, nobody_needs_anything(), 0);
  EXPECT_EQ(pruner.view().failures, 1U);
  EXPECT_NE(pruner.view().failure.find("binlog.000001"), std::string::npos);
  EXPECT_EQ(pruner.view().removed_files, 0U);
  EXPECT_TRUE(folder.has("binlog.000003"));
  io.error = 0;
  pruner.turn(streams, nobody_needs_anything(), 1);
  EXPECT_EQ(pruner.view().removed_files, 3U);
  EXPECT_EQ(pruner.view().failure, "");
}

TEST(ArchivePruner, TellsWhyAFileStaysThatALimitAsksToDelete) {
  Folder folder;
  for (std::uint32_t number = 1; number <= 5; ++number)
    folder.file(binlog_file_name("binlog", number), 10, 2 * kDay);
  ArchiveIo io;
  ArchivePruner pruner(a_day(), io);
  const std::array<ArchiveFolder, 1> streams{{{folder.path, "binlog"}}};
  RetentionFacts facts = nobody_needs_anything();
  facts.executed.reset();
  pruner.turn(streams, facts, 0);
  EXPECT_TRUE(pruner.view().over_limit);
  EXPECT_EQ(pruner.view().kept, RetentionReason::executed_unknown);
  EXPECT_EQ(pruner.view().removed_files, 0U);
}

TEST(GrowthRate, IsKnownAfterAMinuteAndFollowsSlowly) {
  GrowthRate rate;
  rate.sample(1'000, 0);
  rate.sample(2'000, 30 * kNanosPerSecond);
  EXPECT_FALSE(rate.bytes_per_second().has_value());
  rate.sample(7'000, 60 * kNanosPerSecond);
  EXPECT_DOUBLE_EQ(rate.bytes_per_second().value_or(0), 100.0);
  // Two windows later only the newer growth counts.
  rate.sample(361'000, 3600 * kNanosPerSecond);
  rate.sample(361'000, 7200 * kNanosPerSecond);
  rate.sample(361'000, 10'800 * kNanosPerSecond);
  EXPECT_DOUBLE_EQ(rate.bytes_per_second().value_or(-1), 0.0);
}

// The archive of another stream may begin anew, smaller.
TEST(GrowthRate, BeginsAnewWhenLessIsThere) {
  GrowthRate rate;
  rate.sample(1'000'000, 0);
  rate.sample(10, 100 * kNanosPerSecond);
  rate.sample(6010, 160 * kNanosPerSecond);
  EXPECT_DOUBLE_EQ(rate.bytes_per_second().value_or(0), 100.0);
}

}  // namespace
}  // namespace binlane

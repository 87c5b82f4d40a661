// The file of the shared page: who may have it, and which files are refused.

#include "binlane/shim_page_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace binlane::shim_page {
namespace {

class ShimPageFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "shim-page-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "page").string(); }
  std::string problem(Side side) { return PageFile::open(path(), side).problem; }
  // Writes over the file from this offset on.
  void overwrite(std::streamoff offset, const std::string& bytes) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }
  void expect_refused(const std::string& reason) {
    for (const Side side : {Side::server, Side::daemon}) {
      const auto result = PageFile::open(path(), side);
      EXPECT_FALSE(result.file);
      EXPECT_NE(result.problem.find(path()), std::string::npos) << result.problem;
      EXPECT_NE(result.problem.find(reason), std::string::npos) << result.problem;
    }
  }

  HardwareAtomics atomics_;
  std::filesystem::path folder_;
};

TEST_F(ShimPageFile, WhoeverComesFirstCreatesItAndBothSeeTheSame) {
  const auto server = PageFile::open(path(), Side::server);
  ASSERT_TRUE(server.file) << server.problem;
  const auto daemon = PageFile::open(path(), Side::daemon);
  ASSERT_TRUE(daemon.file) << daemon.problem;
  EXPECT_EQ(std::filesystem::file_size(path()), kFileBytes);
  ring(atomics_, server.file->page(), {1, 2, 3});
  EXPECT_EQ(read(atomics_, daemon.file->page().doorbell)->entry.place, (Place{1, 2, 3}));
  // Nothing else is left in the folder.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ShimPageFile, TwoServersOnOnePageAreRefused) {
  auto first = PageFile::open(path(), Side::server);
  ASSERT_TRUE(first.file) << first.problem;
  begin_server(atomics_, first.file->page(), 4711);
  EXPECT_NE(problem(Side::server).find("another server (process 4711)"), std::string::npos)
      << problem(Side::server);
  first.file.reset();
  EXPECT_EQ(problem(Side::server), "");
}

TEST_F(ShimPageFile, TwoDaemonsOnOnePageAreRefused) {
  const auto first = PageFile::open(path(), Side::daemon);
  ASSERT_TRUE(first.file) << first.problem;
  EXPECT_NE(problem(Side::daemon).find("another binlaned"), std::string::npos);
  EXPECT_EQ(problem(Side::server), "");
}

TEST_F(ShimPageFile, ADeathReleasesThePageAtOnce) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = PageFile::open(path(), Side::server);
    const char word = held.file ? 'y' : 'n';
    if (::write(ready[1], &word, 1) == 1) ::pause();
    ::_exit(1);
  }
  char word = 0;
  ASSERT_EQ(::read(ready[0], &word, 1), 1);
  ASSERT_EQ(word, 'y');
  EXPECT_NE(problem(Side::server), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(problem(Side::server), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(ShimPageFile, APageOfAnotherVersionIsRefusedWithAReason) {
  ASSERT_EQ(problem(Side::server), "");
  overwrite(offsetof(Header, version), std::string("\2\0\0\0", 4));
  expect_refused("has version 2 of the page, and this is version 1");
}

TEST_F(ShimPageFile, WhatIsNoPageIsRefused) {
  ASSERT_EQ(problem(Side::server), "");
  overwrite(0, "ELF");
  expect_refused("is not a page of Binlane's shim");
  std::filesystem::resize_file(path(), 10);
  expect_refused("is not a page of Binlane's shim");
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_NE(problem(Side::server), "");
}

TEST_F(ShimPageFile, APageOfAnotherSizeIsRefused) {
  ASSERT_EQ(problem(Side::server), "");
  std::filesystem::resize_file(path(), kFileBytes - 1);
  expect_refused("is damaged");
  std::filesystem::resize_file(path(), kFileBytes);
  overwrite(offsetof(Header, bytes), std::string("\0\1\0\0", 4));
  expect_refused("is damaged");
}

TEST_F(ShimPageFile, ALinkIsNotFollowed) {
  std::ofstream(folder_ / "elsewhere") << "precious";
  std::filesystem::create_symlink(folder_ / "elsewhere", path());
  EXPECT_NE(problem(Side::server), "");
  EXPECT_EQ(std::filesystem::file_size(folder_ / "elsewhere"), 8U);
}

TEST_F(ShimPageFile, WithoutAFolderThereIsNoPage) {
  const auto result = PageFile::open((folder_ / "none" / "page").string(), Side::server);
  EXPECT_FALSE(result.file);
  EXPECT_NE(result.problem.find("No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace binlane::shim_page

// FileMark: a file that is there, or not, whatever happened before.
#include "storage/durable_mark.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "support/temporary_directory.h"

namespace binlane {
namespace {

class FileMarkTest : public testing::Test {
 protected:
  bool is_there() const { return std::filesystem::exists(folder_.file("begun")); }

  TemporaryDirectory folder_;
};

TEST_F(FileMarkTest, IsSetUntilItIsCleared) {
  FileMark mark(folder_.path(), "begun");
  EXPECT_FALSE(mark.is_set());
  EXPECT_EQ(mark.path(), folder_.file("begun"));
  EXPECT_EQ(mark.set(), 0);
  EXPECT_TRUE(mark.is_set());
  EXPECT_TRUE(is_there());
  EXPECT_EQ(mark.set(), 0) << "again";
  EXPECT_EQ(mark.clear(), 0);
  EXPECT_FALSE(mark.is_set());
  EXPECT_FALSE(is_there());
  EXPECT_EQ(mark.clear(), 0) << "again";
}

TEST_F(FileMarkTest, ANewProcessFindsIt) {
  ASSERT_EQ(FileMark(folder_.path(), "begun").set(), 0);
  FileMark found(folder_.path(), "begun");
  EXPECT_TRUE(found.is_set());
  EXPECT_EQ(found.clear(), 0);
  EXPECT_FALSE(FileMark(folder_.path(), "begun").is_set());
}

TEST_F(FileMarkTest, IsForItsOwnerAlone) {
  ASSERT_EQ(FileMark(folder_.path(), "begun").set(), 0);
  struct stat found {};
  ASSERT_EQ(::stat(folder_.file("begun").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777 & ~0600U, 0U);
}

// An operator removed the file: what was to be achieved is so.
TEST_F(FileMarkTest, AFileThatIsGoneIsCleared) {
  FileMark mark(folder_.path(), "begun");
  ASSERT_EQ(mark.set(), 0);
  std::filesystem::remove(folder_.file("begun"));
  EXPECT_EQ(mark.clear(), 0);
  EXPECT_FALSE(mark.is_set());
}

TEST_F(FileMarkTest, WithoutAFolderItIsNotSet) {
  FileMark mark(folder_.file("no-folder"), "begun");
  EXPECT_EQ(mark.set(), ENOENT);
  EXPECT_FALSE(mark.is_set());
}

// A folder bears its name: it cannot be unlinked, and stays set.
TEST_F(FileMarkTest, WhatCannotBeRemovedStaysSet) {
  std::filesystem::create_directory(folder_.file("begun"));
  FileMark mark(folder_.path(), "begun");
  ASSERT_TRUE(mark.is_set());
  EXPECT_NE(mark.clear(), 0);
  EXPECT_TRUE(mark.is_set());
}

TEST_F(FileMarkTest, NoLinkIsFollowed) {
  std::filesystem::create_symlink(folder_.file("elsewhere"), folder_.file("begun"));
  FileMark mark(folder_.path(), "begun");
  EXPECT_NE(mark.set(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("elsewhere")));
}

}  // namespace
}  // namespace binlane

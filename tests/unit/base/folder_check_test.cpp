// folder_problem(): in which folders no other user can put what we would find.
#include "base/folder_check.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_directory.h"

namespace binlane {
namespace {

class FolderCheck : public ::testing::Test {
 protected:
  std::string made(mode_t mode) {
    std::string path = folder_.file("made");
    std::filesystem::create_directory(path);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  TemporaryDirectory folder_;
};

TEST_F(FolderCheck, OursAlone) {
  EXPECT_EQ(folder_problem(made(0700)), "");
  EXPECT_EQ(folder_problem(made(0755)), "");
}

TEST_F(FolderCheck, WhatOthersMayWriteToIsRefused) {
  for (const mode_t mode : {0770, 0777, 01777, 0702}) {
    const std::string problem = folder_problem(made(mode));
    EXPECT_NE(problem.find("chmod go-w"), std::string::npos) << problem;
  }
}

TEST_F(FolderCheck, ALinkOrAFileIsNoFolder) {
  std::filesystem::create_symlink(made(0700), folder_.file("link"));
  EXPECT_NE(folder_problem(folder_.file("link")).find("is not a folder"), std::string::npos);
  std::ofstream(folder_.file("file")) << "x";
  EXPECT_NE(folder_problem(folder_.file("file")).find("is not a folder"), std::string::npos);
  EXPECT_NE(folder_problem(folder_.file("missing")).find("No such file"), std::string::npos);
}

TEST_F(FolderCheck, AnotherUsersIsRefused) {
  const std::string path = made(0700);
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a folder to another user";
  ASSERT_EQ(::chown(path.c_str(), 12'345, 12'345), 0);
  EXPECT_NE(folder_problem(path).find("belongs to user 12345"), std::string::npos);
}

}  // namespace
}  // namespace binlane

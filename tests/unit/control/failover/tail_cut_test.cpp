// `binlane rejoin --cut`, interrupted in the middle of each step: it is continued, or refused if
// the server was started in between.
#include "control/failover/tail_cut.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "control/failover/following.h"
#include "support/temporary_directory.h"

namespace binlane::tail_cut_test {

const ServerWords& kWords = words_of(ServerFlavour::mariadb);

// The power fails before the operation of this number.
class PowerCut {};

class DyingFiles final : public CutFiles {
 public:
  explicit DyingFiles(int operations) : left_(operations) {}
  int done() const { return done_; }
  int folder_syncs() const { return folder_syncs_; }

  bool exists(const std::string& path) override { return CutFiles::system().exists(path); }
  std::optional<std::uint64_t> size(const std::string& path) override {
    return CutFiles::system().size(path);
  }
  int read(const std::string& path, std::string& text) override {
    return CutFiles::system().read(path, text);
  }
  int replace(const std::string& path, const std::string& text) override {
    step();
    return CutFiles::system().replace(path, text);
  }
  int rename(const std::string& from, const std::string& to) override {
    step();
    return CutFiles::system().rename(from, to);
  }
  int sync_folder(const std::string& path) override {
    step();
    ++folder_syncs_;
    return CutFiles::system().sync_folder(path);
  }
  int truncate(const std::string& path, std::uint64_t length) override {
    step();
    return CutFiles::system().truncate(path, length);
  }

 private:
  void step() {
    if (left_-- == 0) throw PowerCut();
    ++done_;
  }
  int left_;
  int done_ = 0;
  int folder_syncs_ = 0;
};

// Files 1 to 4 of 100 bytes each; the cut is at 2:60.
class TailCutTest : public ::testing::Test {
 protected:
  static constexpr CutRecord kCut{{2, 60}, 4};

  void SetUp() override { make(); }
  void make() {
    std::filesystem::remove_all(directory_.path());
    std::filesystem::create_directory(directory_.path());
    std::string index;
    for (std::uint32_t number = 1; number <= 4; ++number) {
      write(name(number), std::string(100, static_cast<char>('0' + number)));
      index += file(number) + '\n';
    }
    write("binlog.index", index);
  }
  static std::string name(std::uint32_t number) { return "binlog.00000" + std::to_string(number); }
  std::string file(std::uint32_t number) const { return directory_.file(name(number)); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_.file(name), std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(directory_.file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool exists(const std::string& name) const {
    return std::filesystem::exists(directory_.file(name));
  }
  TailCut cut(CutFiles& files) const {
    return {files, directory_.file("binlog.index"), directory_.file("binlog"), kCut};
  }
  static void say(const std::string&) {}

  void check_done() const {
    EXPECT_EQ(read("binlog.index"), file(1) + '\n' + file(2) + '\n');
    EXPECT_EQ(read(name(1)).size(), 100U);
    EXPECT_EQ(read(name(2)), std::string(60, '2'));
    for (std::uint32_t number = 3; number <= 4; ++number) {
      EXPECT_FALSE(exists(name(number)));
      EXPECT_EQ(read(name(number) + ".cut").size(), 100U);
    }
  }

  TemporaryDirectory directory_;
};

TEST_F(TailCutTest, GoesOnAfterAnEndBeforeEachStep) {
  DyingFiles counted(1000);
  EXPECT_EQ(cut(counted).run(say), "");
  check_done();
  EXPECT_EQ(counted.folder_syncs(), 1);
  ASSERT_EQ(counted.done(), 5);  // index, two renames, their folder, truncation
  for (int steps = 0; steps <= counted.done(); ++steps) {
    make();
    DyingFiles dying(steps);
    try {
      static_cast<void>(cut(dying).run(say));
      EXPECT_EQ(steps, counted.done());
    } catch (const PowerCut&) {
      EXPECT_LT(steps, counted.done());
    }
    EXPECT_EQ(cut(CutFiles::system()).run(say), "") << steps;
    check_done();
    EXPECT_EQ(cut(CutFiles::system()).run(say), "") << steps;  // and once more
    check_done();
  }
}

// MariaDB opens the file after the last one that its folder holds, and names it in the index.
TEST_F(TailCutTest, AServerThatWasStartedInBetweenIsSeen) {
  for (int steps = 0; steps <= 5; ++steps) {
    make();
    DyingFiles dying(steps);
    try {
      static_cast<void>(cut(dying).run(say));
    } catch (const PowerCut&) {
    }
    std::uint32_t last = 4;
    while (!exists(name(last))) --last;
    write(name(last + 1), "new");
    write("binlog.index", read("binlog.index") + file(last + 1) + '\n');
    TailCut again = cut(CutFiles::system());
    EXPECT_NE(again.run(say), "") << steps;
    EXPECT_TRUE(again.server_was_started()) << steps;
  }
}

TEST_F(TailCutTest, AFailureIsSaidAndTriedAgain) {
  class Failing final : public CutFiles {
   public:
    bool exists(const std::string& path) override { return system().exists(path); }
    std::optional<std::uint64_t> size(const std::string& path) override {
      return system().size(path);
    }
    int read(const std::string& path, std::string& text) override {
      return system().read(path, text);
    }
    int replace(const std::string&, const std::string&) override { return EROFS; }
    int rename(const std::string&, const std::string&) override { return EROFS; }
    int sync_folder(const std::string&) override { return EROFS; }
    int truncate(const std::string&, std::uint64_t) override { return EROFS; }
  } failing;
  TailCut refused = cut(failing);
  EXPECT_NE(refused.run(say).find("Read-only file system"), std::string::npos);
  EXPECT_FALSE(refused.server_was_started());
  EXPECT_EQ(cut(CutFiles::system()).run(say), "");
  check_done();
}

TEST_F(TailCutTest, AFileThatEndsBeforeTheCutIsAnother) {
  write(name(2), "short");
  EXPECT_NE(cut(CutFiles::system()).run(say).find("does not reach"), std::string::npos);
  EXPECT_TRUE(exists(name(3)));
}

QueryResult slave_status(const std::string& port, const std::string& running,
                         const std::string& error) {
  return {{},
          {{"127.0.0.1", port, running, error}},
          {"Master_Host", "Master_Port", "Slave_IO_Running", "Last_IO_Error"}};
}

TEST(Following, OnlyTheServersWordCounts) {
  EXPECT_EQ(following_problem(kWords, slave_status("3401", "Yes", ""), 3401), "");
  const std::string error = "error connecting to master 'f@127.0.0.1:3401'";
  const std::string connecting =
      following_problem(kWords, slave_status("3401", "Connecting", error), 3401);
  EXPECT_NE(connecting.find("Slave_IO_Running is Connecting: " + error), std::string::npos);
  EXPECT_NE(following_problem(kWords, slave_status("3401", "No", ""), 3401), "");
  EXPECT_NE(following_problem(kWords, slave_status("3306", "Yes", ""), 3401).find("127.0.0.1:3306"),
            std::string::npos);
  EXPECT_NE(following_problem(kWords, {{}, {}, {}}, 3401), "");
  EXPECT_NE(
      following_problem(kWords, {{1227, "Access denied"}, {}, {}}, 3401).find("Access denied"),
      std::string::npos);
}

}  // namespace binlane::tail_cut_test

#include "shim/plugin/mysql/source_shim.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "base/clock.h"

namespace binlane {
namespace {

using shim_page::Entry;
using shim_page::Orders;
using shim_page::PageFile;
using shim_page::Place;
using shim_page::Settings;
using shim_page::Side;
using shim_page::State;
using shim_page::WaitPoint;

constexpr const char* kFile = "binlog.000007";
constexpr std::uint32_t kFileNumber = 7;
constexpr std::uint32_t kLongMs = 60'000;
constexpr std::uint32_t kShortMs = 50;

class FakeServer : public HostServer {
 public:
  bool is_killed() const override { return killed; }
  bool is_shutting_down() const override { return shutting_down; }
  void begin_stage() override { ++waiting; }
  void end_stage() override { --waiting; }
  void log(const std::string& text) override {
    const std::lock_guard lock(mutex_);
    text_ += text + "\n";
  }
  bool has_logged(const std::string& part) {
    const std::lock_guard lock(mutex_);
    return text_.find(part) != std::string::npos;
  }

  std::atomic<bool> killed{false};
  std::atomic<bool> shutting_down{false};
  std::atomic<int> waiting{0};

 private:
  std::mutex mutex_;
  std::string text_;
};

// A shim, and the daemon's side of its page in this thread.
class SourceShimTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "source-shim-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    const std::string path = folder_ / "page";
    auto daemon = PageFile::open(path, Side::daemon);
    ASSERT_TRUE(daemon.file) << daemon.problem;
    daemon_ = std::move(daemon.file);
    auto server = PageFile::open(path, Side::server);
    ASSERT_TRUE(server.file) << server.problem;
    shim_ = std::make_unique<SourceShim>(std::move(server.file), server_, variables_);
    beat();
  }
  void TearDown() override {
    if (shim_) shim_->leave();
    for (std::future<void>& each : commits_) each.wait();
    shim_.reset();
    std::filesystem::remove_all(folder_);
  }

  void set(const Settings& variables) {
    variables_ = variables;
    shim_->set(variables);
  }
  void beat() { shim_page::beat(atomics_, daemon_->page(), monotonic_ns()); }
  Place rung() { return read(atomics_, daemon_->page().doorbell)->entry.place; }
  void answer(std::uint64_t offset, const Orders& orders = {State::wait, {}, 1, 0}) {
    beat();
    shim_page::answer(atomics_, daemon_->page(),
                      {{rung().incarnation, kFileNumber, offset}, orders});
  }
  Settings shown() { return Settings::unpack(daemon_->page().server.settings.load()); }

  // A group of one transaction, from its flush to its end, in a thread of its own.
  void begin_commit(std::uint64_t offset) {
    shim_->flushed(kFile, offset);
    commits_.push_back(std::async(std::launch::async, [this, offset] {
      shim_->synced(kFile, offset);
      shim_->committed(kFile, offset);
    }));
  }
  void wait_until_one_waits() {
    while (shim_->status().wait_sessions == 0) std::this_thread::yield();
  }
  void finish_commits() {
    for (std::future<void>& each : commits_) each.get();
    commits_.clear();
    EXPECT_EQ(server_.waiting, 0);
    EXPECT_EQ(shim_->status().wait_sessions, 0U);
  }
  void commit(std::uint64_t offset) {
    begin_commit(offset);
    finish_commits();
  }

  FakeServer server_;
  shim_page::HardwareAtomics atomics_;
  std::filesystem::path folder_;
  std::unique_ptr<PageFile> daemon_;
  Settings variables_{kLongMs, 1, true, false, false, true};
  std::unique_ptr<SourceShim> shim_;
  std::vector<std::future<void>> commits_;
};

TEST_F(SourceShimTest, AQuorumReleasesAWaitAndTheFiguresTell) {
  begin_commit(100);
  wait_until_one_waits();
  EXPECT_EQ(rung(), (Place{1, kFileNumber, 100}));
  answer(99);
  EXPECT_EQ(shim_->status().yes_tx, 0U);
  answer(100);
  finish_commits();
  const SourceStatus status = shim_->status();
  EXPECT_TRUE(status.on);
  EXPECT_EQ(status.clients, 1U);
  EXPECT_EQ(status.yes_tx, 1U);
  EXPECT_EQ(status.no_tx, 0U);
  EXPECT_EQ(status.tx_waits, 1U);
  EXPECT_GT(status.wait_p50_us, 0U);
  EXPECT_GE(status.wait_p99_us, status.wait_p50_us);
  EXPECT_TRUE(shown().on && shown().enabled);
}

TEST_F(SourceShimTest, AQuorumThatIsThereAlreadyIsNotWaitedFor) {
  shim_->flushed(kFile, 100);
  answer(100);
  shim_->synced(kFile, 100);
  EXPECT_EQ(shim_->status().yes_tx, 1U);
  EXPECT_EQ(shim_->status().tx_waits, 0U);
}

TEST_F(SourceShimTest, ATimeoutSwitchesItOffUntilTheQuorumHasEverything) {
  set({kShortMs, 1, true, false, false, true});
  commit(100);
  EXPECT_FALSE(shim_->status().on);
  EXPECT_EQ(shim_->status().no_times, 1U);
  EXPECT_EQ(shim_->status().no_tx, 1U);
  EXPECT_FALSE(shown().on);
  EXPECT_TRUE(server_.has_logged("Timeout waiting for reply of binlog (file number 7, pos: 100)"));
  commit(200);
  EXPECT_EQ(shim_->status().no_tx, 2U);
  answer(100);
  EXPECT_FALSE(shim_->status().on);
  answer(200);
  EXPECT_TRUE(shim_->status().on);
  EXPECT_TRUE(server_.has_logged("Semi-sync replication switched ON at (file number 7, pos: 200)"));
}

// The daemon can make a wait shorter and never longer. [S13]
TEST_F(SourceShimTest, TheServersOwnTimeoutIsTheBackstop) {
  set({kShortMs, 1, true, false, false, true});
  answer(0, {State::wait, {}, 1, kLongMs});
  commit(100);
  EXPECT_EQ(shim_->status().no_times, 1U);
  set({kLongMs, 1, true, false, false, true});
  answer(100, {State::wait, {}, 1, kShortMs});
  EXPECT_TRUE(shim_->status().on);
  commit(200);
  EXPECT_EQ(shim_->status().no_times, 2U);
}

TEST_F(SourceShimTest, KillReleasesItsOwnTransactionOnly) {
  begin_commit(100);
  wait_until_one_waits();
  server_.killed = true;
  finish_commits();
  EXPECT_EQ(shim_->status().no_tx, 1U) << "counted once, at after_commit";
  EXPECT_TRUE(shim_->status().on);
  // The leader of a group was killed, and not the client whose transaction follows.
  shim_->flushed(kFile, 200);
  shim_->synced(kFile, 200);
  server_.killed = false;
  commits_.push_back(std::async(std::launch::async, [this] { shim_->committed(kFile, 200); }));
  wait_until_one_waits();
  answer(200);
  finish_commits();
  EXPECT_EQ(shim_->status().no_tx, 1U);
  EXPECT_EQ(shim_->status().yes_tx, 1U);
}

TEST_F(SourceShimTest, AShutdownEndsAWait) {
  begin_commit(100);
  wait_until_one_waits();
  server_.shutting_down = true;
  finish_commits();
  EXPECT_EQ(shim_->status().no_tx, 1U);
  EXPECT_TRUE(server_.has_logged("Forced shutdown"));
}

TEST_F(SourceShimTest, LeavingEndsAllWaitsForGood) {
  for (const std::uint64_t offset : {100, 200, 300}) begin_commit(offset);
  wait_until_one_waits();
  shim_->leave();
  finish_commits();
  EXPECT_EQ(shim_->status().no_tx, 3U);
  commit(400);
}

TEST_F(SourceShimTest, DisabledItRingsAndDoesNotWait) {
  begin_commit(100);
  wait_until_one_waits();
  set({kLongMs, 1, false, false, false, true});
  finish_commits();
  EXPECT_FALSE(shim_->status().on);
  commit(200);
  EXPECT_EQ(rung().offset, 200U);
  EXPECT_EQ(shim_->status().no_tx, 1U) << "as the server's own, it counts nothing while disabled";
  answer(200);
  EXPECT_FALSE(shim_->status().on);
}

TEST_F(SourceShimTest, ADaemonThatDegradesEndsWaitsAndItsReturnBeginsThem) {
  begin_commit(100);
  wait_until_one_waits();
  answer(0, {State::do_not_wait, {}, 1, 0});
  finish_commits();
  EXPECT_FALSE(shim_->status().on);
  EXPECT_EQ(shim_->status().no_tx, 1U);
  answer(100, {State::do_not_wait, {}, 1, 0});
  EXPECT_FALSE(shim_->status().on);
  answer(100, {State::wait, {}, 1, 0});
  EXPECT_TRUE(shim_->status().on);
}

TEST_F(SourceShimTest, AnAnswerOfBeforeAResetReleasesNothing) {
  shim_->flushed(kFile, 500);
  answer(500);
  shim_->synced(kFile, 500);
  set({kShortMs, 1, true, false, false, true});
  // The same position, of other bytes.
  commit(500);
  EXPECT_EQ(rung(), (Place{2, kFileNumber, 500}));
  EXPECT_EQ(shim_->status().no_tx, 1U);
}

TEST_F(SourceShimTest, AWaitForAStreamThatIsNoMoreEnds) {
  begin_commit(500);
  wait_until_one_waits();
  shim_->flushed("binlog.000001", 200);
  answer(0);
  finish_commits();
  EXPECT_EQ(shim_->status().no_tx, 1U);
  EXPECT_TRUE(shim_->status().on);
}

TEST_F(SourceShimTest, TheDaemonsWaitPointCountsBeforeTheServers) {
  set({kShortMs, 1, true, false, true, true});
  answer(0, {State::wait, WaitPoint::after_sync, 1, 0});
  shim_->flushed(kFile, 100);
  shim_->synced(kFile, 100);
  EXPECT_EQ(shim_->status().no_times, 1U);
  answer(100);  // it says none: the server's own is AFTER_COMMIT
  EXPECT_TRUE(shim_->status().on);
  shim_->flushed(kFile, 200);
  shim_->synced(kFile, 200);
  EXPECT_EQ(shim_->status().no_times, 1U);
  shim_->committed(kFile, 200);
  EXPECT_EQ(shim_->status().no_times, 2U);
}

// SET GLOBAL between a transaction's two hooks must not let it through. [S8]
TEST_F(SourceShimTest, AChangedWaitPointLetsNothingThrough) {
  set({kShortMs, 1, true, false, true, true});
  shim_->flushed(kFile, 100);
  shim_->synced(kFile, 100);
  set({kShortMs, 1, true, false, false, true});
  shim_->committed(kFile, 100);
  EXPECT_EQ(shim_->status().no_times, 1U);
}

TEST_F(SourceShimTest, WithoutWaitNoReplicaTooFewReplicasEndWaits) {
  set({kLongMs, 2, true, false, false, false});
  answer(0, {State::wait, {}, 2, 0});
  begin_commit(100);
  wait_until_one_waits();
  answer(0, {State::wait, {}, 1, 0});
  finish_commits();
  EXPECT_FALSE(shim_->status().on);
  EXPECT_TRUE(server_.has_logged("too few replicas"));
}

TEST_F(SourceShimTest, WithoutWaitNoReplicaADeadDaemonEndsWaits) {
  set({kLongMs, 1, true, false, false, false});
  answer(0);
  begin_commit(100);
  wait_until_one_waits();
  shim_page::beat(atomics_, daemon_->page(), monotonic_ns() - 2 * shim_page::kDeadNs);
  finish_commits();
  EXPECT_TRUE(server_.has_logged("binlaned does not answer"));
  EXPECT_EQ(shim_->status().clients, 0U);
}

TEST_F(SourceShimTest, WhatIsNotInTheBinlogDoesNotWait) {
  shim_->synced(nullptr, 0);
  shim_->committed(nullptr, 0);
  shim_->flushed(kFile, 0);
  EXPECT_EQ(rung(), (Place{1, 0, 0}));
  EXPECT_EQ(shim_->status().no_tx, 0U);
}

}  // namespace
}  // namespace binlane

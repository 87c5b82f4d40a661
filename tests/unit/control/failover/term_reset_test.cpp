// term_reset: the way back from a promise that no promotion can follow.
#include "control/failover/term_reset.h"

#include <gtest/gtest.h>

#include "control/failover/host_role.h"
#include "control/stream/source_state.h"
#include "storage/journal/journal_file.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint32_t kPoison = UINT32_MAX - 1;

class TermResetTest : public ::testing::Test {
 protected:
  TermResetTest() {
    config_.data_dir = folder_.path();
    config_.admin_socket = folder_.file("admin.sock");
    ReplicaConfig& replica = config_.replica.emplace();
    replica.journal = folder_.file("journal");
    replica.journal_size_mb = 1;
    replica.danger_buffered_journal = true;
  }
  JournalFile open() const {
    JournalFileOptions options;
    options.path = config_.replica->journal;
    options.size_bytes = 1U << 20;
    options.danger_buffered = true;
    return JournalFile::open_or_format(options);
  }
  void poison() {
    JournalFile file = open();
    ASSERT_EQ(file.set_stream({Uuid::random(), 3, "binlog"}), 0);
    ASSERT_FALSE(file.store_promise({kPoison, Uuid::random()}));
  }
  // Host records of a source of term 3 that the forged term has fenced.
  Uuid fenced_source() {
    config_.source.emplace();
    RoleFile role(folder_.file("role.state"), HostRole::source);
    RoleState state = role.state();
    state.role = HostRole::fenced;
    state.fenced_by = kPoison;
    EXPECT_EQ(role.store(state), 0);
    SourceStateFile file(folder_.file("source.state"));
    SourceState source;
    source.origin = Uuid::random();
    source.epoch = {3, 2};
    source.basename = "binlog";
    EXPECT_EQ(file.store(source), 0);
    return state.host_id;
  }
  TermReport reset(std::uint32_t term, std::optional<Uuid> source = std::nullopt) {
    const TermReset wanted{term, source};
    return look_at_terms(config_, &wanted);
  }

  TemporaryDirectory folder_;
  Config config_;
};

TEST_F(TermResetTest, LooksAndChangesNothing) {
  poison();
  const TermReport report = look_at_terms(config_, nullptr);
  EXPECT_EQ(report.problem, "");
  EXPECT_TRUE(report.done.empty());
  ASSERT_EQ(report.found.size(), 2U);
  EXPECT_NE(report.found[1].find("term 4294967294 is promised to"), std::string::npos);
  EXPECT_EQ(open().promise().term, kPoison);
}

TEST_F(TermResetTest, TakesAPromiseBackForGood) {
  poison();
  const TermReport report = reset(3);
  ASSERT_EQ(report.problem, "");
  ASSERT_EQ(report.done.size(), 1U);
  {
    JournalFile file = open();
    EXPECT_EQ(file.promise().term, 3U);
    EXPECT_EQ(file.promise().candidate, file.meta().journal);
    // A promotion is possible again.
    EXPECT_FALSE(file.store_promise({4, Uuid::random()}));
  }
  // Nothing of the forged term is left, not in the copies either.
  EXPECT_EQ(PromiseRecord(config_.replica->journal).promise().term, 4U);
}

TEST_F(TermResetTest, NotBelowWhatIsInUse) {
  poison();
  EXPECT_NE(reset(2).problem.find("term 3 is already in use"), std::string::npos);
  EXPECT_NE(reset(0).problem.find("a term is a number"), std::string::npos);
  EXPECT_NE(reset(UINT32_MAX).problem.find("a term is a number"), std::string::npos);
  EXPECT_EQ(open().promise().term, kPoison);
}

TEST_F(TermResetTest, NotWhileTheDaemonRuns) {
  poison();
  const JournalFile daemon = open();
  const TermReport report = reset(3);
  EXPECT_FALSE(report.problem.empty());
  EXPECT_TRUE(report.done.empty());
  EXPECT_EQ(daemon.promise().term, kPoison);
}

TEST_F(TermResetTest, ASourceGoesOnInItsOwnTermOnly) {
  poison();
  const Uuid host = fenced_source();
  EXPECT_NE(reset(4, host).problem.find("own term only"), std::string::npos);
  const TermReport report = reset(3, host);
  ASSERT_EQ(report.problem, "");
  EXPECT_EQ(report.done.size(), 2U);
  EXPECT_EQ(open().promise(), (Promise{3, host}));
  {
    const RoleFile role(folder_.file("role.state"), HostRole::standby);
    EXPECT_EQ(role.state().role, HostRole::source);
    EXPECT_EQ(role.state().fenced_by, 0U);
  }
  // A host that is the source does not lose its term by a reset.
  EXPECT_NE(reset(5).problem.find("this host is the source"), std::string::npos);
}

TEST_F(TermResetTest, AFencedHostStaysFencedWithoutASource) {
  poison();
  fenced_source();
  ASSERT_EQ(reset(7).problem, "");
  const RoleFile role(folder_.file("role.state"), HostRole::standby);
  EXPECT_EQ(role.state().role, HostRole::fenced);
  EXPECT_EQ(role.state().fenced_by, 7U);
}

}  // namespace
}  // namespace binlane

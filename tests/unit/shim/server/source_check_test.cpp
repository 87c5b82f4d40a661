#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/counter_growth.h"
#include "base/position.h"
#include "dump_bytes.h"
#include "shim/binlog/binlog_index_tail.h"
#include "shim/server/semi_sync_control.h"
#include "shim/server/server_facts.h"
#include "shim/server/server_run_files.h"

namespace binlane {
namespace {

ServerFacts good_facts() {
  ServerFacts facts;
  facts.flavour = ServerFlavour::mariadb;
  facts.version = "10.11.19-MariaDB-log";
  facts.version_number = 101119;
  facts.server_id = 1;
  facts.log_bin = true;
  facts.log_bin_basename = "/d/binlog";
  facts.log_bin_index = "/d/binlog.index";
  facts.sync_binlog = 1;
  facts.innodb_flush_log_at_trx_commit = 1;
  facts.binlog_checksum = "CRC32";
  facts.semi_sync_words = SemiSyncWords::master_slave;
  facts.privileges = {"REPLICATION SLAVE", "REPLICATION MASTER ADMIN"};
  facts.account = "binlane@localhost";
  facts.newest_file = 17;
  return facts;
}

ServerFacts good_mysql_facts() {
  ServerFacts facts = good_facts();
  facts.flavour = ServerFlavour::mysql;
  facts.version = "9.7.4";
  facts.version_number = 90704;
  facts.binlog_error_action = "ABORT_SERVER";
  facts.semi_sync_wait_for_replicas = 1;
  facts.semi_sync_words = SemiSyncWords::source_replica;
  facts.privileges = {"REPLICATION SLAVE", "SYSTEM_VARIABLES_ADMIN"};
  return facts;
}

constexpr std::uint32_t kAcker = 900;

// The one refusal there has to be.
Finding only_refusal(const ServerFacts& facts, std::uint32_t acker = kAcker) {
  const SourceCheck check = check_source(facts, acker);
  EXPECT_FALSE(check.accepted());
  EXPECT_EQ(check.refusals.size(), 1U);
  return check.refusals.empty() ? Finding{} : check.refusals.front();
}

TEST(SourceCheck, GoodServers) {
  for (const ServerFacts& facts : {good_facts(), good_mysql_facts()}) {
    const SourceCheck check = check_source(facts, kAcker);
    EXPECT_TRUE(check.accepted());
    EXPECT_TRUE(check.warnings.empty());
  }
}

// Each in its own words: what is written there is not what Binlane ships.
TEST(SourceCheck, BinlogsThatAreNotWrittenAsFilesAreRefusedByName) {
  ServerFacts facts = good_facts();
  facts.binlog_storage_engine = "innodb";
  facts.index_error = "/d/binlog.index: No such file or directory";
  Finding finding = only_refusal(facts);
  EXPECT_EQ(finding.key, "binlog_storage_engine");
  EXPECT_EQ(finding.found, "innodb");
  EXPECT_NE(finding.remedy.find("engine's own pages"), std::string::npos);

  facts = good_mysql_facts();
  facts.binlog_in_redo = true;
  finding = only_refusal(facts);
  EXPECT_EQ(finding.key, "persist_binlog_to_redo");
  EXPECT_NE(finding.remedy.find("redo log"), std::string::npos);

  facts = good_mysql_facts();
  facts.binlog_parallel_flush = true;
  finding = only_refusal(facts);
  EXPECT_EQ(finding.key, "binlog_parallel_flush");
  EXPECT_NE(finding.remedy.find("background thread"), std::string::npos);
}

TEST(SourceCheck, EachRefusalNamesWhatWhyAndRemedy) {
  ServerFacts facts = good_facts();
  facts.log_bin = false;
  EXPECT_EQ(only_refusal(facts).key, "log_bin");

  facts = good_facts();
  facts.sync_binlog = 0;
  Finding finding = only_refusal(facts);
  EXPECT_EQ(finding.key, "sync_binlog");
  EXPECT_EQ(finding.found, "0");
  EXPECT_EQ(finding.wanted, "1");
  EXPECT_NE(finding.remedy.find("SET GLOBAL sync_binlog=1"), std::string::npos);
  EXPECT_EQ(to_string(finding).rfind("sync_binlog: found 0, wanted 1; SET GLOBAL", 0), 0U);

  facts.sync_binlog = 1000;
  EXPECT_EQ(only_refusal(facts).found, "1000");

  facts = good_facts();
  facts.innodb_flush_log_at_trx_commit = 2;
  EXPECT_EQ(only_refusal(facts).key, "innodb_flush_log_at_trx_commit");

  facts = good_facts();
  facts.binlog_encrypted = true;
  EXPECT_EQ(only_refusal(facts).key, "encrypt_binlog");

  facts = good_facts();
  facts.index_error = "/d/binlog.index: Permission denied (errno 13)";
  EXPECT_EQ(only_refusal(facts).found, facts.index_error);
  EXPECT_NE(only_refusal(facts).remedy.find("binlaned-server.conf"), std::string::npos);
  facts.index_group = "adm";
  EXPECT_NE(only_refusal(facts).remedy.find("SupplementaryGroups=adm"), std::string::npos);
  facts.index_group.clear();
  // Not there at all: no right would help.
  facts.index_error = "/d/binlog.index: No such file or directory (errno 2)";
  EXPECT_NE(only_refusal(facts).remedy.find("log_bin_basename /d/binlog"), std::string::npos);

  facts = good_facts();
  facts.semi_sync_words = SemiSyncWords::none;
  EXPECT_EQ(only_refusal(facts).key, "rpl_semi_sync");

  EXPECT_EQ(only_refusal(good_facts(), 1).key, "acker_server_id");
  EXPECT_EQ(only_refusal(good_facts(), 0).key, "acker_server_id");
}

TEST(SourceCheck, MysqlRefusals) {
  ServerFacts facts = good_mysql_facts();
  facts.binlog_error_action = "IGNORE_ERROR";
  EXPECT_EQ(only_refusal(facts).key, "binlog_error_action");
  facts = good_mysql_facts();
  facts.version = "8.0.25";
  facts.version_number = 80025;
  EXPECT_EQ(only_refusal(facts).found, "8.0.25");
  facts = good_mysql_facts();
  facts.semi_sync_words = SemiSyncWords::none;
  EXPECT_EQ(only_refusal(facts).remedy,
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';");
  facts = good_mysql_facts();
  facts.semi_sync_wait_for_replicas = 2;
  EXPECT_EQ(only_refusal(facts).found, "2");
  facts = good_mysql_facts();
  facts.binlog_encrypted = true;
  EXPECT_EQ(only_refusal(facts).key, "binlog_encryption");
  facts = good_mysql_facts();
  facts.privileges = {"REPLICATION SLAVE"};
  EXPECT_EQ(only_refusal(facts).wanted, "SYSTEM_VARIABLES_ADMIN");
}

// A source alone can do without GTIDs. A promotion cannot.
TEST(SourceCheck, GtidModeOffIsRefusedForBothRoles) {
  ServerFacts facts = good_mysql_facts();
  facts.gtid_mode = false;
  const SourceCheck alone = check_source(facts, kAcker);
  EXPECT_TRUE(alone.accepted());
  ASSERT_EQ(alone.warnings.size(), 1U);
  EXPECT_EQ(alone.warnings[0].key, "gtid_mode");
  EXPECT_NE(alone.warnings[0].remedy.find("enforce_gtid_consistency"), std::string::npos);
  const SourceCheck both = check_source(facts, kAcker, true);
  ASSERT_EQ(both.refusals.size(), 1U);
  EXPECT_EQ(both.refusals[0].key, "gtid_mode");
  EXPECT_TRUE(both.warnings.empty());
}

TEST(SourceCheck, MissingPrivilegesGiveTheGrant) {
  ServerFacts facts = good_facts();
  facts.privileges = {"SELECT"};
  const Finding finding = only_refusal(facts);
  EXPECT_EQ(finding.key, "privileges");
  EXPECT_EQ(finding.remedy,
            "GRANT REPLICATION SLAVE, REPLICATION MASTER ADMIN ON *.* TO 'binlane'@'localhost';");
  facts.privileges = {"REPLICATION SLAVE"};
  EXPECT_EQ(only_refusal(facts).remedy,
            "GRANT REPLICATION MASTER ADMIN ON *.* TO 'binlane'@'localhost';");
  facts.privileges = {"REPLICATION SLAVE", "SUPER"};
  EXPECT_TRUE(check_source(facts, kAcker).accepted());
  facts.privileges = {"ALL PRIVILEGES"};
  EXPECT_TRUE(check_source(facts, kAcker).accepted());
}

TEST(SourceCheck, AllRefusalsAtOnce) {
  ServerFacts facts = good_facts();
  facts.sync_binlog = 0;
  facts.innodb_flush_log_at_trx_commit = 0;
  facts.binlog_encrypted = true;
  facts.privileges.clear();
  EXPECT_EQ(check_source(facts, 1).refusals.size(), 5U);
}

// In which steps a version renames, and whether Binlane follows them, only a test tells.
TEST(SourceCheck, RenamesOfAVersionThatWasNotTestedAreSwitchedOff) {
  constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  ServerFacts facts = good_facts();
  const auto renames = [&facts] {
    const auto warnings = check_source(facts, kAcker).warnings;
    return std::ranges::count(warnings, "binlog_large_commit_threshold", &Finding::key);
  };
  facts.version = "11.8.9-MariaDB";
  facts.version_number = 110809;
  facts.binlog_large_commit_threshold = 134'217'728;
  EXPECT_EQ(renames(), 0);
  facts.version = "12.1.2-MariaDB";
  facts.version_number = 120102;
  ASSERT_EQ(renames(), 1);
  const SourceCheck check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  EXPECT_EQ(check.warnings.back().found, "134217728");
  EXPECT_NE(check.warnings.back().remedy.find(
                "SET GLOBAL binlog_large_commit_threshold=18446744073709551615"),
            std::string::npos);
  facts.binlog_large_commit_threshold = kNever;
  EXPECT_EQ(renames(), 0);
  facts.binlog_large_commit_threshold.reset();  // a version without renames
  EXPECT_EQ(renames(), 0);
}

TEST(SourceCheck, Warnings) {
  ServerFacts facts = good_facts();
  facts.registered_replica_ids = {12, kAcker};
  SourceCheck check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  ASSERT_EQ(check.warnings.size(), 1U);
  EXPECT_EQ(check.warnings[0].key, "acker_server_id");

  facts = good_facts();
  facts.version = "10.5.1-MariaDB";
  facts.version_number = 100501;
  check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  ASSERT_EQ(check.warnings.size(), 1U);
  EXPECT_EQ(check.warnings[0].key, "version");
  EXPECT_EQ(check.warnings[0].found, "10.5.1-MariaDB");

  facts = good_mysql_facts();
  facts.version = "8.4.6";
  facts.version_number = 80406;
  check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  ASSERT_EQ(check.warnings.size(), 1U);
  EXPECT_EQ(check.warnings[0].found, "8.4.6");

  facts = good_facts();
  facts.binlog_checksum = "NONE";
  check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  ASSERT_EQ(check.warnings.size(), 1U);
  EXPECT_EQ(check.warnings[0].key, "binlog_checksum");
}

TEST(SourceCheck, FileNumbers) {
  EXPECT_EQ(file_number_state(989'999), FileNumberState::fine);
  EXPECT_EQ(file_number_state(990'000), FileNumberState::near_limit);
  EXPECT_EQ(file_number_state(999'999), FileNumberState::near_limit);
  EXPECT_EQ(file_number_state(1'000'000), FileNumberState::beyond_limit);
  ServerFacts facts = good_facts();
  facts.newest_file = 990'000;
  EXPECT_EQ(check_source(facts, kAcker).warnings.size(), 1U);
  facts.newest_file = 1'000'000;
  const SourceCheck check = check_source(facts, kAcker);
  EXPECT_TRUE(check.accepted());
  ASSERT_EQ(check.warnings.size(), 1U);
  EXPECT_NE(check.warnings[0].remedy.find("ASYNC"), std::string::npos);
}

TEST(ServerRun, TextAndBack) {
  const ServerRun run{"0b5a", {4711, 123456}, 99};
  const auto read = parse_server_run(to_string(run));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(to_string(*read), to_string(run));
  for (const char* text : {"", "boot=x pid=1 ticks=2", "boot=x pid=a ticks=2 started=3",
                           "boot=x pid=1 ticks=2 started=3 more=4", "garbage"})
    EXPECT_FALSE(parse_server_run(text).has_value()) << text;
}

TEST(ServerRun, SameRun) {
  const ServerRun run{"boot", {4711, 123456}, 99};
  EXPECT_TRUE(run.is_same_as({"boot", {4711, 123456}, 500}));
  EXPECT_FALSE(run.is_same_as({"other", {4711, 123456}, 99}));
  EXPECT_FALSE(run.is_same_as({"boot", {4712, 123456}, 99}));
  EXPECT_FALSE(run.is_same_as({"boot", {4711, 123457}, 99}));
  // The process is unknown: the start time decides, within what a second's rounding does.
  EXPECT_TRUE(run.is_same_as({"boot", {}, 101}));
  EXPECT_FALSE(run.is_same_as({"boot", {}, 102}));
}

TEST(SemiSyncNames, BothVocabularies) {
  const SemiSyncNames old_names = semi_sync_names(SemiSyncWords::master_slave);
  EXPECT_EQ(old_names.wait_no_replica, "rpl_semi_sync_master_wait_no_slave");
  EXPECT_EQ(old_names.yes_tx, "Rpl_semi_sync_master_yes_tx");
  EXPECT_EQ(old_names.replica_user_variable, "rpl_semi_sync_slave");
  const SemiSyncNames new_names = semi_sync_names(SemiSyncWords::source_replica);
  EXPECT_EQ(new_names.wait_no_replica, "rpl_semi_sync_source_wait_no_replica");
  EXPECT_EQ(new_names.replica_user_variable, "rpl_semi_sync_replica");
  EXPECT_EQ(counter_growth(3, 8), 5U);
  EXPECT_EQ(counter_growth(8, 2), 2U);  // reset in between
}

TEST(QuoteSql, SpecialCharacters) {
  EXPECT_EQ(quote_sql("a'b\\c"), "'a\\'b\\\\c'");
  EXPECT_EQ(quote_sql(std::string_view("\0", 1)), "'\\0'");
}

class RunFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "binlane-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write_file(std::uint32_t number, std::uint32_t created, std::size_t size = 79) {
    using test::operator+;
    test::Bytes body(52, std::byte{0});
    body = body + test::number(created);
    test::Bytes bytes = test::bytes_of(
                            "\xfe"
                            "bin") +
                        test::event_bytes({EventType::format_description, 256, 0, body});
    bytes.resize(size);
    std::ofstream file(binlog_file_name(basename(), number), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_index(const std::string& text) { std::ofstream(index()) << text; }
  std::string basename() const { return dir_ + "/binlog"; }
  std::string index() const { return dir_ + "/binlog.index"; }
  ServerRunFiles find() const { return find_server_run_files(index(), basename()); }

  std::string dir_;
};

TEST_F(RunFiles, TheNewestFileThatAStartMade) {
  write_file(1, 1000);
  write_file(2, 0);
  write_file(3, 2000);
  write_file(4, 0);
  write_file(5, 0);
  write_index(
      "./binlog.000001\n./binlog.000002\n./binlog.000003\n./binlog.000004\n"
      "./binlog.000005\n");
  EXPECT_EQ(find().first, 3U) << find().error;
  EXPECT_EQ(find().newest, 5U);
}

TEST_F(RunFiles, AFreshStart) {
  write_file(999'999, 0);
  write_file(1'000'000, 5);
  write_index("./binlog.999999\n./binlog.1000000\n");
  EXPECT_EQ(find().first, 1'000'000U) << find().error;
}

TEST_F(RunFiles, TheRunsFirstFilesArePurged) {
  write_file(8, 0);
  write_file(9, 0);
  write_index("./binlog.000008\n./binlog.000009\n");
  EXPECT_EQ(find().first, 8U) << find().error;
}

TEST_F(RunFiles, Errors) {
  EXPECT_EQ(find().first, 0U);
  EXPECT_NE(find().error.find("binlog.index"), std::string::npos);
  write_index("");
  EXPECT_NE(find().error.find("names no binlog file"), std::string::npos);
  write_index("./binlog\n");
  EXPECT_NE(find().error.find("names no binlog file"), std::string::npos);
  write_index("./binlog.000002\n");
  EXPECT_EQ(find().first, 0U);  // the newest file itself is missing
  EXPECT_FALSE(find().error.empty());
  write_file(2, 5, 40);
  EXPECT_EQ(find().first, 0U);  // too short to be one
  EXPECT_FALSE(find().error.empty());
}

TEST_F(RunFiles, AnEditedIndexAndALineBeingWritten) {
  write_file(12, 5);
  for (const char* text :
       {"./binlog.000012\n", "./binlog.000012\r\n", "./binlog.000012\n\n \n",
        "./binlog.000012\n./binlog.00001", "./binlog.000012\n./binlog.000012\n"}) {
    write_index(text);
    EXPECT_EQ(read_binlog_index_tail(index()).newest_file, 12U) << text;
    EXPECT_EQ(find().first, 12U) << text;
  }
  write_index("./binlog.000012");
  EXPECT_NE(read_binlog_index_tail(index()).error, "");
}

TEST_F(RunFiles, IndexLongerThanItsTail) {
  std::string text;
  for (std::uint32_t number = 1; number <= 5000; ++number)
    text += binlog_file_name("./binlog", number) + "\n";
  write_index(text);
  EXPECT_EQ(read_binlog_index_tail(index()).newest_file, 5000U);
}

}  // namespace
}  // namespace binlane

// The statements that MariaDB 10.11 replicas and mariadb-binlog were seen to send, and odd ones.

#include "shim/feed/feed_query.h"

#include <gtest/gtest.h>

#include <random>

namespace binlane {
namespace {

using Kind = FeedAnswer::Kind;

class FeedQueryTest : public testing::Test {
 protected:
  explicit FeedQueryTest(FeedGreeting greeting = {})
      : queries_({.source = [this] { return facts_; },
                  .gtid_position =
                      [this](const std::string& file, std::uint64_t offset) {
                        asked_ = file + ':' + std::to_string(offset);
                        return gtid_position_;
                      },
                  .gtid_set =
                      [this](FeedSet set) {
                        return std::optional(set == FeedSet::executed ? executed_ : purged_);
                      },
                  .files = [this] { return facts_ ? std::optional(files_) : std::nullopt; },
                  .kill =
                      [this](std::uint64_t id) {
                        killed_ = id;
                        return id == 7;
                      },
                  .connection_id = 5,
                  .greeting = greeting}) {}

  Kind kind(std::string_view sql) { return queries_.answer(sql).kind; }
  // The single value of the answer's last row.
  std::string value(std::string_view sql) {
    const FeedAnswer answer = queries_.answer(sql);
    if (answer.kind != Kind::rows) return "not rows";
    if (answer.rows.empty()) return "no row";
    EXPECT_EQ(answer.columns.size(), answer.rows.back().size());
    return answer.rows.back().back().value_or("NULL");
  }

  std::optional<SourceFacts> facts_{{.server_id = 11, .gtid_domain = 3, .checksums = true}};
  std::optional<std::optional<std::string>> gtid_position_{"0-11-8"};
  std::vector<ServedFile> files_{{"binlog.000001", 900}, {"binlog.000002", 400}};
  std::string executed_ = "5f1e7a70-0001-4b00-8000-00000000000a:1-9";
  std::string purged_ = "5f1e7a70-0001-4b00-8000-00000000000a:1-2";
  std::string asked_;
  std::uint64_t killed_ = 0;
  FeedQueries queries_;
};

TEST_F(FeedQueryTest, AnswersAReplicaOneAfterTheOther) {
  EXPECT_GT(std::stoll(value("SELECT UNIX_TIMESTAMP()")), 1'600'000'000);
  const FeedAnswer id = queries_.answer("SHOW VARIABLES LIKE 'SERVER_ID'");
  ASSERT_EQ(id.rows.size(), 1u);
  EXPECT_EQ(id.rows[0], (mysql::Row{"server_id", "11"}));
  EXPECT_EQ(kind("SET @master_heartbeat_period= 1000000000"), Kind::ok);
  EXPECT_EQ(kind("SET @master_binlog_checksum= @@global.binlog_checksum"), Kind::ok);
  EXPECT_EQ(value("SELECT @master_binlog_checksum"), "CRC32");
  EXPECT_EQ(kind("SET @mariadb_slave_capability=4"), Kind::ok);
  EXPECT_EQ(value("SELECT @@GLOBAL.gtid_domain_id"), "3");
  EXPECT_EQ(kind("SET @slave_connect_state='0-1-7,1-1-2'"), Kind::ok);
  EXPECT_EQ(kind("SET @slave_gtid_strict_mode=0"), Kind::ok);
  EXPECT_EQ(kind("SET @slave_gtid_ignore_duplicates=0"), Kind::ok);
  EXPECT_EQ(kind("SET @slave_until_gtid='0-1-6'"), Kind::ok);
  EXPECT_EQ(value("SHOW VARIABLES LIKE 'rpl_semi_sync_master_enabled'"), "no row");
  EXPECT_EQ(value("SELECT binlog_gtid_pos('binlog.000002',974)"), "0-11-8");
  EXPECT_EQ(asked_, "binlog.000002:974");
  EXPECT_EQ(queries_.number("master_heartbeat_period", 0), 1000000000u);
  EXPECT_EQ(queries_.number("mariadb_slave_capability", 0), 4u);
  EXPECT_EQ(queries_.variable("slave_connect_state"), "0-1-7,1-1-2");
  EXPECT_EQ(queries_.variable("slave_until_gtid"), "0-1-6");
}

TEST_F(FeedQueryTest, AnswersOtherForms) {
  EXPECT_EQ(kind("set @A = 'it''s \\'so', @b=2 , skip_replication=1;"), Kind::ok);
  EXPECT_EQ(queries_.variable("a"), "it's 'so");
  EXPECT_EQ(queries_.number("b", 0), 2u);
  EXPECT_EQ(queries_.number("skip_replication", 0), 1u);
  EXPECT_EQ(queries_.number("a", 5), 5u);
  EXPECT_EQ(queries_.number("unset", 6), 6u);
  EXPECT_EQ(kind("SET SESSION skip_replication := 0"), Kind::ok);
  EXPECT_EQ(queries_.number("skip_replication", 1), 0u);
  EXPECT_EQ(kind("SET NAMES utf8"), Kind::ok);
  EXPECT_EQ(value("SELECT @unset"), "NULL");
  EXPECT_EQ(value("select  @@global.server_id ;"), "11");
  EXPECT_EQ(value("SELECT VERSION()"), "10.11.0-MariaDB-binlane");
  EXPECT_NE(value("select @@version_comment limit 1").find("Binlane"), std::string::npos);
  EXPECT_EQ(value("SELECT 1"), "1");
  EXPECT_EQ(value("SHOW GLOBAL VARIABLES LIKE \"binlog_checksum\""), "CRC32");
  facts_->checksums = false;
  EXPECT_EQ(value("SELECT @@global.binlog_checksum"), "NONE");
  EXPECT_EQ(queries_.answer("SELECT @@GLOBAL.GTID_ERROR").error.code, 1193);
  // As a source of MariaDB answers a replica of MySQL that is too old to be told the next thing.
  EXPECT_EQ(queries_.answer("SELECT @@GLOBAL.GTID_MODE").error.code, 1193);
  gtid_position_ = std::optional<std::string>();
  EXPECT_EQ(value("SELECT BINLOG_GTID_POS('x', 4)"), "NULL");
}

// A replica of MySQL: its IO thread stops at an error here, and later tries again for ever.
TEST_F(FeedQueryTest, RefusesAReplicaOfMysqlBeforeItAsksForTheGtidMode) {
  EXPECT_EQ(kind("SET @master_heartbeat_period = 1, @source_heartbeat_period = 1"), Kind::ok);
  const FeedAnswer other = queries_.answer(
      "SET @master_binlog_checksum = @@global.binlog_checksum, "
      "@source_binlog_checksum = @@global.binlog_checksum");
  EXPECT_EQ(other.error.code, 1236);
  EXPECT_NE(other.error.message.find("servers of one kind"), std::string::npos);
}

class MysqlFeedQueryTest : public FeedQueryTest {
 protected:
  MysqlFeedQueryTest() : FeedQueryTest(FeedGreeting("9.7.4-2")) {
    facts_->grammar = GtidGrammar::mysql;
    facts_->server_uuid = feed_server_uuid({});
  }
};

TEST_F(MysqlFeedQueryTest, AnswersAReplicaOneAfterTheOther) {
  EXPECT_GT(std::stoll(value("SELECT UNIX_TIMESTAMP()")), 1'600'000'000);
  EXPECT_EQ(value("SELECT @@GLOBAL.SERVER_ID"), "11");
  EXPECT_EQ(kind("SET @master_heartbeat_period = 30000001024, @source_heartbeat_period = "
                 "30000001024"),
            Kind::ok);
  EXPECT_EQ(kind("SET @master_binlog_checksum = @@global.binlog_checksum, "
                 "@source_binlog_checksum = @@global.binlog_checksum"),
            Kind::ok);
  EXPECT_EQ(value("SELECT @source_binlog_checksum"), "CRC32");
  // A word, which the replica compares with its own.
  EXPECT_EQ(value("SELECT @@GLOBAL.GTID_MODE"), "ON");
  EXPECT_EQ(value("SELECT @@GLOBAL.SERVER_UUID"), to_string(feed_server_uuid({})));
  EXPECT_EQ(kind("SET @slave_uuid = 'a', @replica_uuid = 'a'"), Kind::ok);
  EXPECT_EQ(queries_.source_variable("binlog_checksum"), "CRC32");
  EXPECT_EQ(queries_.source_number("heartbeat_period", 0), 30000001024u);
  facts_->anonymous = true;
  EXPECT_EQ(value("SELECT @@GLOBAL.GTID_MODE"), "OFF");
}

TEST_F(MysqlFeedQueryTest, AnswersOtherClientsOfMysql) {
  EXPECT_EQ(value("SELECT VERSION()"), "9.7.4-2");
  EXPECT_EQ(value("SHOW VARIABLES LIKE 'gtid_executed'"), executed_);
  EXPECT_EQ(value("SELECT @@gtid_purged"), purged_);
  EXPECT_EQ(value("SELECT @@read_only"), "1");
  EXPECT_EQ(value("SHOW BINARY LOG STATUS"), executed_);
  EXPECT_EQ(value("SHOW BINARY LOGS"), "No");
  EXPECT_EQ(queries_.answer("SHOW REPLICAS").columns.back(), "Replica_UUID");
  EXPECT_EQ(value("SHOW VARIABLES LIKE 'gtid_binlog_pos'"), "no row");
  EXPECT_EQ(queries_.answer("SELECT @@gtid_domain_id").error.code, 1193);
  EXPECT_NE(queries_.answer("SET GLOBAL read_only=0").error.message.find("SYSTEM_VARIABLES_ADMIN"),
            std::string::npos);
}

TEST(FeedServerUuid, IsOneForEachOrigin) {
  Uuid origin;
  const Uuid first = feed_server_uuid(origin);
  EXPECT_EQ(feed_server_uuid(origin), first);
  EXPECT_FALSE(first.is_null());
  EXPECT_EQ(to_string(first)[14], '8');  // its version: no server makes such a one by itself
  origin.bytes[15] = 1;
  EXPECT_NE(feed_server_uuid(origin), first);
}

TEST_F(FeedQueryTest, HangsUpOnWhatItCannotKnowYet) {
  facts_.reset();
  gtid_position_.reset();
  EXPECT_EQ(kind("SHOW VARIABLES LIKE 'SERVER_ID'"), Kind::disconnect);
  EXPECT_EQ(kind("SELECT @@GLOBAL.gtid_domain_id"), Kind::disconnect);
  EXPECT_EQ(kind("SET @master_binlog_checksum= @@global.binlog_checksum"), Kind::disconnect);
  EXPECT_EQ(kind("SELECT binlog_gtid_pos('binlog.000002',974)"), Kind::disconnect);
  EXPECT_EQ(kind("SELECT UNIX_TIMESTAMP()"), Kind::rows);
}

TEST_F(FeedQueryTest, NamesColumnsAsTheyWereAskedFor) {
  const auto row = [this](std::string_view sql) {
    const FeedAnswer answer = queries_.answer(sql);
    std::string text;
    for (std::size_t i = 0; i < answer.columns.size(); ++i)
      text += answer.columns[i] + '=' + answer.rows.at(0).at(i).value_or("NULL") + ';';
    return text;
  };
  EXPECT_EQ(row("SELECT @@GLOBAL.binlog_checksum AS checksum"), "checksum=CRC32;");
  EXPECT_EQ(row("/* a connector */ SELECT @@server_id, @@gtid_domain_id d, @@version AS 'v 1';"),
            "@@server_id=11;d=3;v 1=10.11.0-MariaDB-binlane;");
  EXPECT_EQ(row("SELECT UNIX_TIMESTAMP() AS t").substr(0, 3), "t=1");
  EXPECT_EQ(row("SELECT @@version_comment LIMIT 1"),
            "@@version_comment=Binlane: the archive of a source, for its replica;");
  EXPECT_EQ(row("SELECT 'a', 5, NULL FROM DUAL"), "a=a;5=5;NULL=NULL;");
  EXPECT_EQ(row("select CONNECTION_ID(), DATABASE()"), "CONNECTION_ID()=5;DATABASE()=NULL;");
  EXPECT_EQ(row("SHOW MASTER STATUS"),
            "File=binlog.000002;Position=400;Binlog_Do_DB=;Binlog_Ignore_DB=;");
  EXPECT_EQ(queries_.answer("SHOW BINARY LOGS").rows.size(), 2u);
  EXPECT_EQ(row("SELECT @@global.gtid_binlog_pos"), "@@global.gtid_binlog_pos=0-11-8;");
  EXPECT_EQ(asked_, "binlog.000002:400");
  EXPECT_EQ(queries_.answer("SHOW VARIABLES LIKE 'binlog\\_check%'").rows.size(), 1u);
  EXPECT_EQ(queries_.answer("SHOW VARIABLES LIKE 'server_i_'").rows.size(), 1u);
  EXPECT_EQ(value("SHOW VARIABLES WHERE Variable_name='server_id'"), "11");
  EXPECT_GT(queries_.answer("SHOW VARIABLES").rows.size(), 20u);
}

TEST_F(FeedQueryTest, NullIsNoValue) {
  // All values are those from before the statement, as at a server.
  EXPECT_EQ(kind("SET @x=5, @y=@x, @z:=@@server_id"), Kind::ok);
  EXPECT_EQ(value("SELECT @y"), "NULL");
  EXPECT_EQ(kind("SET @y=@x"), Kind::ok);
  EXPECT_EQ(value("SELECT @y"), "5");
  EXPECT_EQ(value("SELECT @z"), "11");
  EXPECT_EQ(kind("SET @x=NULL"), Kind::ok);
  EXPECT_EQ(value("SELECT @x"), "NULL");
  EXPECT_EQ(queries_.variable("x"), std::nullopt);
  EXPECT_EQ(queries_.number("x", 3), 3u);
}

TEST_F(FeedQueryTest, RefusesToChangeAnythingForOthers) {
  for (const auto* sql : {"SET GLOBAL binlog_checksum=NONE", "SET @@GLOBAL.binlog_checksum='NONE'",
                          "set @@global.read_only = 0", "SET @a=1, GLOBAL read_only=0"}) {
    EXPECT_EQ(queries_.answer(sql).error.code, 1227) << sql;
  }
  EXPECT_EQ(queries_.variable("a"), std::nullopt) << "a refused statement changes nothing";
  EXPECT_EQ(value("SELECT @@global.binlog_checksum"), "CRC32");
}

TEST_F(FeedQueryTest, RefusesTheRest) {
  for (const auto* sql :
       {"", "SELECT", "DROP TABLE t", "SELECT * FROM t", "SHOW TABLES", "SELECT @@no_such",
        "SET @a=@@global.no_such", "SELECT binlog_gtid_pos('x')", "SELECT binlog_gtid_pos(x,4)",
        "SELECT binlog_gtid_pos('x',y)", "SELECT binlog_gtid_pos('x',4) FROM t", "KILL x",
        "SHOW VARIABLES LIKE", "SHOW VARIABLES LIKE 'x", "SET @a='x' garbage", "SELECTED 1",
        "KILL 8"}) {
    EXPECT_EQ(kind(sql), Kind::error) << sql;
  }
}

TEST_F(FeedQueryTest, KillsAnotherConnection) {
  EXPECT_EQ(kind("KILL 7"), Kind::ok);
  EXPECT_EQ(killed_, 7u);
  EXPECT_EQ(kind("kill hard connection 7"), Kind::ok);
  EXPECT_EQ(queries_.answer("KILL 9").error.message, "Unknown thread id: 9");
}

TEST_F(FeedQueryTest, HoldsABoundedNumberOfVariables) {
  for (std::size_t i = 0; i < FeedQueries::kMaxVariables; ++i) {
    EXPECT_EQ(kind("SET @v" + std::to_string(i) + "=1"), Kind::ok);
  }
  EXPECT_EQ(kind("SET @one_more=1"), Kind::error);
  EXPECT_EQ(kind("SET @v0=2"), Kind::ok);
  EXPECT_EQ(queries_.number("v0", 0), 2u);
}

TEST_F(FeedQueryTest, SurvivesDamagedStatements) {
  const std::vector<std::string> statements{
      "SET @a = 'it''s \\'so', @b=2 , skip_replication=1;",
      "SET @master_binlog_checksum= @@global.binlog_checksum",
      "SELECT binlog_gtid_pos('binlog.000002',974)",
      "SHOW VARIABLES LIKE 'SERVER_ID'",
      "select @@version_comment limit 1",
      "kill hard connection 7",
  };
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string sql = statements[random() % statements.size()];
    for (int change = 0; change < 3; ++change) {
      sql[random() % sql.size()] = "'\"\\@=, ;()\0xA1"[random() % 14];
    }
    sql.resize(random() % (sql.size() + 1));
    queries_.answer(sql);
  }
}

}  // namespace
}  // namespace binlane

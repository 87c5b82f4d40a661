// The feed of a MySQL source's archive as its clients see it, over real sockets: the binlogs are
// what a MySQL 9.7 server wrote (tests/data/mysql).

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "feed_test_client.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/feed_variables.h"
#include "support/mysql_data.h"

namespace binlane::mysql_feed_test {

using Client = test::FeedTestClient;

const std::string kSource = "5f1e7a70-0001-4b00-8000-00000000000a";
// The first files, all groups of which have GTIDs. The next one has groups without.
constexpr std::uint32_t kNamed = 3;
constexpr std::uint32_t kAnonymous = 5;

class MysqlFeedTest : public test::FeedTest {
 protected:
  // The files `first` to `last` of the source, whole.
  void archive(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t number = first; number <= last; ++number)
      folder_.write(name(number), test::bytes_of(test::mysql_data(name(number))));
    limit_.set({last, size(last)});
    server_.emplace(options(), limit_);
    server_->start();
  }
  static std::string name(std::uint32_t number) { return binlog_file_name("binlog", number); }
  static std::uint64_t size(std::uint32_t number) { return test::mysql_data(name(number)).size(); }
  // All that the files up to this one contain.
  MysqlGtidSet executed_at(Position end) {
    FixedFeedLimit limit;
    limit.set(end);
    ArchiveGtids gtids({std::string(BINLANE_TEST_DATA) + "/mysql", "binlog"}, limit,
                       [] { return false; });
    return *gtids.executed().value().mysql();
  }
  static MysqlGtidSet set(const std::string& text) { return MysqlGtidSet::parse(text).value(); }

  // A dump's events up to its end, as "type:end".
  std::string dump(const MysqlGtidSet& held, std::uint16_t flags = mysql::kDumpNonBlock,
                   std::string file = "", std::uint64_t position = 4) {
    client_.emplace(server_->port());
    EXPECT_TRUE(client_->login_to_mysql());
    client_->begin_dump(mysql::BinlogDump{position, flags, 12, std::move(file)}, held);
    return client_->events();
  }
  static std::size_t count(const std::string& events, const std::string& type) {
    std::size_t found = 0;
    std::istringstream words(events);
    for (std::string event; words >> event;) found += event.starts_with(type + ':') ? 1 : 0;
    return found;
  }

  // What the server itself lists of the first files.
  static std::size_t listed_events() {
    // What is within a compressed group is listed at the place of the event that holds it.
    std::set<Position> places;
    for (const auto& line : test::mysql_event_lines()) {
      const std::uint32_t file = binlog_file_number(line.file);
      if (file <= kNamed) places.insert({file, line.offset});
    }
    return places.size();
  }
  static std::size_t listed_groups() {
    const auto lines = test::mysql_event_lines();
    return static_cast<std::size_t>(std::ranges::count_if(lines, [](const auto& line) {
      return binlog_file_number(line.file) <= kNamed &&
             line.info.starts_with("SET @@SESSION.GTID_NEXT=");
    }));
  }

  std::optional<BinlogServer> server_;
  std::optional<Client> client_;
};

TEST_F(MysqlFeedTest, GreetsAsTheServerWhoseArchiveItIs) {
  archive(1, 1);
  Client client(server_->port());
  EXPECT_TRUE(client.login_to_mysql());
  EXPECT_EQ(client.greeting().server_version, "9.7.4-2");
  EXPECT_EQ(client.greeting().plugin, mysql::kCachingSha2Password);
  EXPECT_TRUE(client.fast());
  EXPECT_EQ(client.switched_to(), "");
}

TEST_F(MysqlFeedTest, LetsInWhoKnowsThePasswordByEitherPlugin) {
  archive(1, 1);
  Client native(server_->port());
  EXPECT_TRUE(native.login_to_mysql(mysql::kNativePassword));
  EXPECT_EQ(native.switched_to(), mysql::kNativePassword);
  EXPECT_FALSE(native.fast());
  Client unasked(server_->port());
  EXPECT_TRUE(unasked.login_to_mysql(mysql::kNativePassword, "secret", "feed", false));
  EXPECT_EQ(unasked.switched_to(), "");
  Client other(server_->port());
  EXPECT_TRUE(other.login_to_mysql("client_ed25519"));
  EXPECT_EQ(other.switched_to(), mysql::kCachingSha2Password);
  EXPECT_TRUE(other.fast());
  EXPECT_FALSE(Client(server_->port()).login_to_mysql(mysql::kCachingSha2Password, "wrong"));
  EXPECT_FALSE(Client(server_->port()).login_to_mysql(mysql::kCachingSha2Password, ""));
  EXPECT_FALSE(Client(server_->port()).login_to_mysql(mysql::kNativePassword, "wrong"));
  Client stranger(server_->port());
  EXPECT_FALSE(stranger.login_to_mysql(mysql::kCachingSha2Password, "secret", "other"));
  // Nothing tells it that only the user is wrong.
  EXPECT_FALSE(stranger.fast());
  EXPECT_EQ(server_->status().refused_logins, 4u);
}

TEST_F(MysqlFeedTest, SendsAFreshReplicaEverything) {
  archive(1, kNamed);
  const std::string events = dump({});
  EXPECT_EQ(client_->answer(), mysql::build_eof());
  EXPECT_EQ(count(events, "33") + count(events, "42"), listed_groups());
  // Nothing but a Rotate before each file is added, and nothing is left out.
  EXPECT_EQ(static_cast<std::size_t>(std::count(events.begin(), events.end(), ' ')),
            listed_events() + kNamed);
  EXPECT_EQ(server_->status().heartbeats, 0u);
}

TEST_F(MysqlFeedTest, LeavesOutWhatTheReplicaHas) {
  archive(1, kNamed);
  const MysqlGtidSet held = set(kSource + ":1-2:4");
  const std::string all = dump({});
  const std::string part = dump(held);
  EXPECT_EQ(count(part, "33") + count(part, "42"), count(all, "33") + count(all, "42") - 3);
  // 1 and 2 end at 573, and 4 ends at 1082: heartbeats move the replica's place past them.
  EXPECT_TRUE(part.starts_with("4:0 15:127 35:158 27:573 33:650 ")) << part.substr(0, 80);
  EXPECT_NE(part.find(" 27:1082 33:1161 "), std::string::npos);
  EXPECT_EQ(count(part, "27"), 2u);
  // With the second version of heartbeats.
  const std::string v2 = dump(held, mysql::kDumpNonBlock | mysql::kDumpHeartbeatV2);
  EXPECT_EQ(count(v2, "27"), 0u);
  EXPECT_NE(v2.find(" 41:573 33:650 "), std::string::npos);
}

TEST_F(MysqlFeedTest, BeginsWithTheNewestFileThatIsEnough) {
  archive(1, kNamed);
  const std::uint64_t end_of_second = size(2);
  const std::string events = dump(executed_at({2, end_of_second}));
  EXPECT_EQ(count(events, "15"), 1u);
  EXPECT_EQ(count(events, "33") + count(events, "42"), 2u);
  // All of it: where it waits, it is told how far it is.
  const std::string nothing = dump(executed_at({kNamed, size(kNamed)}));
  EXPECT_EQ(count(nothing, "33") + count(nothing, "42"), 0u);
  EXPECT_EQ(client_->answer(), mysql::build_eof());
}

TEST_F(MysqlFeedTest, ServesByPlaceWithAndWithoutASet) {
  archive(1, kNamed);
  // Group 4 begins at 803.
  const std::string part = dump({}, mysql::kDumpNonBlock, "binlog.000001", 803);
  EXPECT_TRUE(part.starts_with("4:0 15:0 33:882 ")) << part.substr(0, 40);
  const std::string less = dump(set(kSource + ":4-5"), mysql::kDumpNonBlock, "binlog.000001", 803);
  EXPECT_TRUE(less.starts_with("4:0 15:0 27:1373 33:1452 ")) << less.substr(0, 40);
  // COM_BINLOG_DUMP, without the capability that a replica of MariaDB has to have.
  Client client(server_->port());
  ASSERT_TRUE(client.login_to_mysql());
  ASSERT_TRUE(client.ok("SET @source_binlog_checksum='CRC32'"));
  client.command(mysql::build_binlog_dump(dump_from(803, "binlog.000001")));
  EXPECT_EQ(client.events(), part);
  // A place before the first event, and a file that is none.
  dump({}, mysql::kDumpNonBlock, "binlog.000001", 3);
  EXPECT_EQ(client_->error(),
            "1236 Client requested source to start replication from position < 4");
  dump({}, mysql::kDumpNonBlock, "binlog.000009");
  EXPECT_EQ(client_->error(), "1236 Could not find first log file name in binary log index file");
}

TEST_F(MysqlFeedTest, SaysWhatIsPurgedAsASource) {
  archive(2, kNamed);
  dump(set(kSource + ":1-3"));
  EXPECT_NE(client_->error().find("1236 Cannot replicate because the source purged required binary "
                                  "logs."),
            std::string::npos);
  EXPECT_NE(client_->error().find("The GTID set sent by the replica is '" + kSource +
                                  ":1-3', and the missing transactions are '" + kSource + ":4-"),
            std::string::npos)
      << client_->error();
  EXPECT_EQ(server_->status().refused_dumps, 1u);
  // What precedes the oldest file is enough.
  const std::string events = dump(executed_at({1, size(1)}));
  EXPECT_EQ(client_->answer(), mysql::build_eof());
  EXPECT_EQ(count(events, "15"), 2u);
}

TEST_F(MysqlFeedTest, HasNoNamesForAnonymousGroups) {
  archive(1, kAnonymous);
  dump({});
  EXPECT_NE(client_->error().find("1236 Cannot replicate anonymous transaction when AUTO_POSITION "
                                  "= 1, at file binlog.000005, position "),
            std::string::npos)
      << client_->error();
  Client client(server_->port());
  ASSERT_TRUE(client.login_to_mysql());
  ASSERT_TRUE(client.ok("SET @source_binlog_checksum='CRC32'"));
  client.query("SELECT @@GLOBAL.GTID_MODE, @@GLOBAL.gtid_executed");
  mysql::Payload row;
  for (int i = 0; i < 6; ++i) row = i == 4 ? client.receive() : (client.receive(), row);
  mysql::Reader cells(row);
  EXPECT_EQ(cells.lenenc_text_or_null(), "OFF");
  EXPECT_EQ(cells.lenenc_text_or_null(), executed_at({3, size(3)}).server_text());
  client.command(mysql::build_binlog_dump(dump_from(4, "binlog.000005")));
  EXPECT_EQ(count(client.events(), "34"), 2u);
  EXPECT_EQ(client.answer(), mysql::build_eof());
}

TEST_F(MysqlFeedTest, WaitsForWhatTheReplicaHasAlready) {
  archive(1, 1);
  limit_.set({1, size(1)});
  const MysqlGtidSet held = executed_at({1, size(1)});
  MysqlGtidSet more = held;
  ASSERT_TRUE(more.add(set(kSource + ":100")));
  client_.emplace(server_->port());
  ASSERT_TRUE(client_->login_to_mysql());
  client_->begin_dump(mysql::BinlogDump{4, 0, 12, ""}, more);
  wait_for([&] {
    const auto clients = server_->status().clients;
    return clients.size() == 1 && clients[0].ahead;
  });
  // A GTID of a server that does not write here is nobody's to wait for.
  MysqlGtidSet other = held;
  ASSERT_TRUE(other.add(set("99999999-2222-3333-4444-555555555555:1")));
  Client second(server_->port());
  ASSERT_TRUE(second.login_to_mysql());
  ASSERT_TRUE(second.ok("SET @source_heartbeat_period=1000000"));
  second.begin_dump(mysql::BinlogDump{4, 0, 13, ""}, other);
  std::string events;
  while (count(events, "27") < 2) events += second.events(1);
  for (const FeedClientStatus& client : server_->status().clients)
    EXPECT_EQ(client.ahead, client.server_id == 12u);
}

TEST_F(MysqlFeedTest, EndsWhereFilesDoNotContinueOneAnother) {
  folder_.write(name(1), test::bytes_of(test::mysql_data(name(1))));
  folder_.write(name(2), test::bytes_of(test::mysql_data(name(3))));
  limit_.set({2, size(3)});
  server_.emplace(options(), limit_);
  server_->start();
  // From the file's beginning, and from its middle: then the file is read for that.
  for (const std::uint64_t position : {4, 803}) {
    dump({}, mysql::kDumpNonBlock, "binlog.000001", position);
    EXPECT_NE(client_->error().find("the archived binlogs do not go on where binlog.000002 begins: "
                                    "the next file says that "),
              std::string::npos)
        << client_->error();
  }
  EXPECT_NE(server_->status().gap, "");
}

TEST_F(MysqlFeedTest, GoesOnFromASealedStream) {
  const test::TemporaryFolder old_folder;
  for (const std::uint32_t number : {1u, 2u})
    old_folder.write(name(number), test::bytes_of(test::mysql_data(name(number))));
  folder_.write(name(3), test::bytes_of(test::mysql_data(name(3))));
  limit_.set({3, size(3)});
  FeedOptions feed = options();
  feed.sealed = {{{old_folder.path(), "binlog"}, {2, size(2)}}};
  server_.emplace(std::move(feed), limit_);
  server_->start();
  const std::string all = dump({});
  EXPECT_EQ(client_->answer(), mysql::build_eof()) << client_->error();
  EXPECT_EQ(count(all, "15"), 3u);
  EXPECT_EQ(count(all, "33") + count(all, "42"), listed_groups());
  // A replica that has all of the old stream gets the new one alone.
  EXPECT_EQ(count(dump(executed_at({2, size(2)})), "15"), 1u);
  dump({}, mysql::kDumpNonBlock, "binlog.000003");
  EXPECT_NE(client_->error().find("use SOURCE_AUTO_POSITION=1"), std::string::npos);
  // A server of MariaDB cannot go on in any way, whatever it follows by.
  Client other(server_->port());
  ASSERT_TRUE(other.login_to_mysql(mysql::kNativePassword));
  ASSERT_TRUE(other.ok("SET @mariadb_slave_capability=4, @master_heartbeat_period=1000000000"));
  other.command(mysql::build_binlog_dump(dump_from(4, name(1))));
  EXPECT_NE(mysql::parse_error(other.receive())->message.find("servers of one kind"),
            std::string::npos);
}

TEST_F(MysqlFeedTest, RefusesWhatIsNoSet) {
  archive(1, 1);
  Client client(server_->port());
  ASSERT_TRUE(client.login_to_mysql());
  client.command(mysql::build_binlog_dump_gtid({dump_from(4, ""), test::bytes_of("no set")}));
  EXPECT_EQ(mysql::parse_error(client.receive())->code, 1835);
  client.command(mysql::Writer().number(std::uint8_t{0x1e}).text("x").take());
  EXPECT_EQ(mysql::parse_error(client.receive())->code, 1835);
  client.command(mysql::Writer().number(std::uint8_t{0x1d}).take());
  EXPECT_EQ(mysql::parse_error(client.receive())->message, "Unknown command");
  EXPECT_TRUE(client.ok("SET @a=1"));
  // A replica of MariaDB that follows by GTID.
  ASSERT_TRUE(client.ok("SET @mariadb_slave_capability=4, @slave_connect_state='0-1-2'"));
  client.command(mysql::build_binlog_dump(dump_from(4, "")));
  EXPECT_EQ(mysql::parse_error(client.receive())->code, 1236);
  // By file and position.
  Client other(server_->port());
  ASSERT_TRUE(other.login_to_mysql(mysql::kNativePassword));
  ASSERT_TRUE(other.ok("SET @mariadb_slave_capability=4, @master_heartbeat_period=1000000000"));
  other.command(mysql::build_binlog_dump(dump_from(4, name(1))));
  EXPECT_NE(mysql::parse_error(other.receive())->message.find("servers of one kind"),
            std::string::npos);
}

// A copy of the source's data folder, auto.cnf and all.
TEST_F(MysqlFeedTest, RefusesAReplicaWithTheSourcesUuid) {
  archive(1, 1);
  const auto answer = [this](const std::string& uuid) {
    client_.emplace(server_->port());
    EXPECT_TRUE(client_->login_to_mysql());
    EXPECT_TRUE(client_->ok("SET @slave_uuid='" + uuid + "', @replica_uuid='" + uuid + "'"));
    client_->begin_dump(mysql::BinlogDump{4, mysql::kDumpNonBlock, 12, ""}, MysqlGtidSet());
    client_->events();
    return client_->answer();
  };
  EXPECT_EQ(answer("5f1e7a70-0001-4b00-8000-00000000000b"), mysql::build_eof());
  const auto error = mysql::parse_error(answer(kSource));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 1236);
  EXPECT_NE(error->message.find("auto.cnf"), std::string::npos);
}

TEST_F(MysqlFeedTest, TellsAReplicaOfMysqlThatAMariadbArchiveIsNone) {
  build();
  server_.emplace(options(), limit_);
  server_->start();
  Client client(server_->port());
  ASSERT_TRUE(client.login_to_mysql(mysql::kNativePassword));
  EXPECT_EQ(client.greeting().server_version, kFeedServerVersion);
  const auto expect_refused = [&client] {
    const auto error = mysql::parse_error(client.receive());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, 1236);
    EXPECT_NE(error->message.find("MariaDB server"), std::string::npos);
  };
  client.query("SET @master_binlog_checksum='CRC32', @source_binlog_checksum='CRC32'");
  expect_refused();
  // One that is too old for this learns it when it dumps.
  ASSERT_TRUE(client.ok("SET @master_binlog_checksum='CRC32'"));
  client.command(mysql::build_binlog_dump_gtid(
      {mysql::BinlogDump{4, 0, 12, ""}, MysqlGtidSet().encode(MysqlGtidEncoding::tagged)}));
  expect_refused();
}

TEST_F(MysqlFeedTest, GreetsAnewOnceTheArchiveHasBegun) {
  server_.emplace(options(), limit_);
  server_->start();
  Client early(server_->port());
  ASSERT_TRUE(early.login_to_mysql(mysql::kNativePassword));
  EXPECT_EQ(early.greeting().server_version, kFeedServerVersion);
  folder_.write(name(1), test::bytes_of(test::mysql_data(name(1))));
  limit_.set({1, size(1)});
  // It was greeted in the manner of another server: it has to come again.
  early.query("SELECT @@GLOBAL.SERVER_ID");
  EXPECT_TRUE(early.closed_by_server());
  EXPECT_TRUE(Client(server_->port()).login_to_mysql());
}

}  // namespace binlane::mysql_feed_test

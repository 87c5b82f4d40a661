// The feed where one archived file ends and the next begins, and where a group does: a source that
// was started anew (its own dumps ended then), files that do not continue the previous one, events
// outside groups.

#include <sstream>

#include "feed_test_client.h"

namespace binlane {
namespace {

using test::BinlogBuilder;
using test::kSourceId;
using Client = test::FeedTestClient;

// Events as the client's events() writes them, without their ends.
std::string types(const std::string& events) {
  std::string text;
  for (std::size_t at = 0; at < events.size(); at = events.find(' ', at) + 1)
    text += events.substr(at, events.find(':', at) - at) + ' ';
  return text;
}

class FeedCrossingTest : public test::FeedTest {
 protected:
  FeedCrossingTest() : server_(options(), limit_) {}
  // Two files with a group each; the second one's server was started `created_s`.
  void two_files(std::uint32_t created_s, const std::vector<GtidEntry>& second_list,
                 const std::vector<GtidEntry>& first_list = {}) {
    BinlogBuilder first;
    first.format_description(1, kEventFlagInUse);
    first.gtid_list(first_list);
    end_ = first.group(1);
    if (created_s == 0) first.rotate("binlog.000002");
    folder_.write(1, first);
    BinlogBuilder second;
    second.format_description(created_s, kEventFlagInUse);
    second.gtid_list(second_list);
    second.group(2);
    folder_.write(2, second);
    whole_ = {2, second.size()};
  }
  // What a client gets of a dump by GTID from nothing.
  std::string by_gtid(const std::string& start, std::uint16_t flags, std::size_t count = 0) {
    client_.emplace(server_.port());
    EXPECT_TRUE(client_->login());
    client_->begin_dump(dump_from(4, "", flags), start);
    return types(client_->events(count));
  }

  BinlogServer server_;
  std::optional<Client> client_;
  std::uint64_t end_ = 0;
  Position whole_;
};

constexpr std::uint16_t kWaits = 0;
const std::string kFirstFile = "4 15 163 162 23 16 ";
const std::string kSecondFile = "4 15 163 162 23 16 ";

TEST_F(FeedCrossingTest, ARestartOfTheSourceEndsTheDumpsThatRun) {
  two_files(5, {{0, 11, 1}});
  limit_.set({1, end_});
  server_.start();
  // By file and position, without a heartbeat: any client's dump ends, as at the source.
  client_.emplace(server_.port());
  ASSERT_TRUE(client_->login());
  client_->begin_dump(dump_from(4, "binlog.000001", kWaits));
  EXPECT_EQ(types(client_->events(6)), kFirstFile);
  limit_.set(whole_);
  EXPECT_EQ(client_->events(), "");
  EXPECT_TRUE(client_->answer().empty()) << "ended without a word, as by a server that died";
  EXPECT_EQ(server_.status().restarts, 1u);
  // It asks again for what it lacks, and is not ended at the same place for ever.
  client_.emplace(server_.port());
  ASSERT_TRUE(client_->login());
  client_->begin_dump(dump_from(static_cast<std::uint32_t>(end_), "binlog.000001", kWaits));
  EXPECT_EQ(types(client_->events(8)), "4 15 " + kSecondFile);
  EXPECT_EQ(by_gtid("0-11-1", kWaits, 6), kSecondFile);
  EXPECT_EQ(server_.status().restarts, 1u);
}

TEST_F(FeedCrossingTest, AReplicaThatReadsAnOldRestartIsEndedThereOnce) {
  two_files(5, {{0, 11, 1}});
  limit_.set(whole_);
  server_.start();
  EXPECT_EQ(by_gtid("", kWaits), kFirstFile);
  EXPECT_TRUE(client_->answer().empty());
  // Whatever it asks for now, it gets past that place: no loop.
  EXPECT_EQ(by_gtid("", kWaits, 12), kFirstFile + kSecondFile);
  EXPECT_EQ(server_.status().restarts, 1u);
}

TEST_F(FeedCrossingTest, ReadersOfHistoryAreNotEndedAtOldRestarts) {
  two_files(5, {{0, 11, 1}});
  limit_.set(whole_);
  server_.start();
  // One that ends with what there is, and one that waits for more and is no replica.
  EXPECT_EQ(by_gtid("", mysql::kDumpNonBlock), kFirstFile + kSecondFile);
  client_.emplace(server_.port());
  ASSERT_TRUE(client_->login());
  client_->begin_dump(dump_from(4, "binlog.000001", kWaits));
  EXPECT_EQ(types(client_->events(12)), kFirstFile + kSecondFile);
  EXPECT_EQ(server_.status().restarts, 0u);
}

TEST_F(FeedCrossingTest, ARotationEndsNobody) {
  two_files(0, {{0, 11, 1}});
  limit_.set({1, end_});
  server_.start();
  EXPECT_EQ(by_gtid("", kWaits, 6), kFirstFile);
  limit_.set(whole_);
  EXPECT_EQ(types(client_->events(7)), "4 " + kSecondFile);
  EXPECT_EQ(server_.status().restarts, 0u);
}

TEST_F(FeedCrossingTest, FilesThatDoNotGoOnAreRefusedWithThePlace) {
  two_files(5, {{0, 11, 9}});
  limit_.set(whole_);
  server_.start();
  const std::string told =
      "1236 the archived binlogs do not go on where binlog.000002 begins: the file ends with "
      "0-11-1, but the next file begins after 0-11-9.";
  EXPECT_EQ(by_gtid("", mysql::kDumpNonBlock), kFirstFile + "4 15 ");
  EXPECT_TRUE(client_->error().starts_with(told)) << client_->error();
  EXPECT_TRUE(("1236 " + server_.status().gap).starts_with(told)) << server_.status().gap;
  // Neither does a replica get over it that begins within the first file.
  client_.emplace(server_.port());
  ASSERT_TRUE(client_->login());
  client_->begin_dump(dump_from(static_cast<std::uint32_t>(end_), "binlog.000001"));
  EXPECT_EQ(types(client_->events()), "4 15 4 15 ");
  EXPECT_TRUE(client_->error().starts_with(told)) << client_->error();
}

TEST_F(FeedCrossingTest, WholeDomainsMayBeDeletedWithinOneRunOfTheServer) {
  two_files(0, {{0, 11, 1}}, {{7, 11, 3}});
  limit_.set(whole_);
  server_.start();
  EXPECT_EQ(by_gtid("", mysql::kDumpNonBlock),
            "");  // the first file begins after 7-11-3: it has all been purged for this replica
  EXPECT_EQ(by_gtid("7-11-3", mysql::kDumpNonBlock), "4 15 163 162 23 16 4 " + kSecondFile);
  EXPECT_EQ(server_.status().gap, "");
}

TEST_F(FeedCrossingTest, AServerThatStartsForgetsNoDomain) {
  two_files(5, {{0, 11, 1}}, {{7, 11, 3}});
  limit_.set(whole_);
  server_.start();
  EXPECT_EQ(by_gtid("7-11-3", mysql::kDumpNonBlock), kFirstFile + "4 15 ");
  EXPECT_NE(client_->error().find("the file holds 7-11-3"), std::string::npos) << client_->error();
}

// LOST_EVENTS: a source that could not write a group says so with an event that belongs to none.
TEST_F(FeedCrossingTest, AnIncidentAfterAGroupThatTheReplicaHasIsSent) {
  BinlogBuilder file;
  file.format_description(1);
  file.gtid_list({});
  file.group(1);
  file.begin_group(2, 0, true);
  file.add(EventType::query, mysql::Writer().zeros(13).text_and_zero("").text("DROP").take());
  file.add(EventType::incident, mysql::Writer().number(std::uint16_t{1}).text("lost").take());
  file.group(3);
  folder_.write(1, file);
  limit_.set({1, file.size()});
  server_.start();
  // A note of the replica's position comes first: the position after the group that it has.
  EXPECT_EQ(by_gtid("0-11-2", mysql::kDumpNonBlock), "4 15 163 163 26 162 23 16 ");
  EXPECT_EQ(by_gtid("0-11-1", mysql::kDumpNonBlock), "4 15 163 163 162 2 26 162 23 16 ");
}

// A promotion seals within a group of which the beginning was told to be safe [S2]. No replica is
// given that beginning, and none is rejected because of it.
TEST_F(FeedCrossingTest, HalfAGroupAtTheEndOfASealedStreamIsNone) {
  const test::TemporaryFolder old_folder;
  BinlogBuilder old_stream;
  old_stream.format_description(1);
  old_stream.gtid_list({});
  const std::uint64_t whole = old_stream.group(1);
  const std::uint64_t within = old_stream.begin_group(2);
  old_stream.annotate("INSERT INTO large VALUES (1)");
  const std::uint64_t end = old_stream.rows(9'000);

  BinlogBuilder next_stream;
  next_stream.format_description();
  next_stream.gtid_list({{0, kSourceId, 1}});
  next_stream.set_server_id(kSourceId + 1);
  next_stream.group(2);
  folder_.write(2, next_stream);
  limit_.set({2, next_stream.size()});

  for (const std::uint64_t sealed : {whole, within, within + 5, end - 100, end}) {
    SCOPED_TRACE(sealed);
    old_folder.write("binlog.000001", ConstBytes(old_stream.data()).first(sealed));
    FeedOptions feed = options();
    feed.sealed = {{{old_folder.path(), "binlog"}, {1, sealed}}};
    BinlogServer server(std::move(feed), limit_);
    server.start();
    for (const auto& [start, groups] : {std::pair("", 2), std::pair("0-11-1", 1)}) {
      SCOPED_TRACE(start);
      client_.emplace(server.port());
      ASSERT_TRUE(client_->login());
      client_->begin_dump(dump_from(4, "", mysql::kDumpNonBlock), start);
      const std::string served = types(client_->events());
      std::string given;
      for (int i = 0; i < groups; ++i) given += "162 23 16 ";
      std::string found;
      std::istringstream words(served);
      for (std::string type; words >> type;) {
        if (type == "162" || type == "23" || type == "16") found += type + ' ';
      }
      EXPECT_EQ(found, given) << served;
      EXPECT_EQ(client_->error(), "no error");
    }
  }
}

}  // namespace
}  // namespace binlane

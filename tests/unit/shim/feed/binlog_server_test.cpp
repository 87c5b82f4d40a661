// The server as a client sees it, over real sockets on loopback: logins, dumps from built files,
// strangers and their garbage, and an end at any time.

#include "shim/feed/binlog_server.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "feed_test_client.h"
#include "support/scarcity.h"

namespace binlane {
namespace {

using test::BinlogBuilder;

using Client = test::FeedTestClient;
using test::kPatienceMs;
using BinlogServerTest = test::FeedTest;

TEST_F(BinlogServerTest, LetsInWhoKnowsThePassword) {
  BinlogServer server(options(), limit_);
  server.start();
  EXPECT_TRUE(Client(server.port()).login());
  EXPECT_TRUE(Client(server.port()).login("feed", "secret", "caching_sha2_password"));
  Client wrong(server.port());
  EXPECT_FALSE(wrong.login("feed", "Secret"));
  EXPECT_EQ(wrong.error(), "1045 Access denied for user 'feed'@'127.0.0.1' (using password: YES)");
  EXPECT_TRUE(wrong.closed_by_server());
  EXPECT_FALSE(Client(server.port()).login("feed", ""));
  EXPECT_FALSE(Client(server.port()).login("other", "secret"));
  EXPECT_FALSE(Client(server.port()).login("feed", "wrong", "caching_sha2_password"));
  EXPECT_EQ(server.status().refused_logins, 4u);
}

TEST_F(BinlogServerTest, DumpsUpToTheLimitAndNotAByteMore) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.begin_dump(dump_from(4, "binlog.000001"));
  const std::string head =
      "4:0 15:" + std::to_string(ends_[0]) + " 163:" + std::to_string(ends_[1]) + ' ';
  const std::string all = client.events();
  EXPECT_EQ(client.answer(), mysql::build_eof());
  // Without the annotations, that it has not asked for: GTID, rows, XID.
  EXPECT_EQ(all.substr(0, head.size()), head);
  EXPECT_EQ(std::count(all.begin(), all.end(), ' '), 3 + 2 * 3);
  EXPECT_TRUE(all.ends_with(":" + std::to_string(ends_[3]) + ' ')) << all;
  EXPECT_EQ(all.find("160:"), std::string::npos);
  // With them, on the same connection, and more having been released.
  limit_.set({1, ends_[4]});
  client.begin_dump(dump_from(4, "binlog.000001", mysql::kDumpNonBlock | mysql::kDumpAnnotateRows));
  const std::string annotated = client.events();
  EXPECT_EQ(std::count(annotated.begin(), annotated.end(), ' '), 3 + 3 * 4);
  EXPECT_TRUE(annotated.ends_with(":" + std::to_string(ends_[4]) + ' '));
}

TEST_F(BinlogServerTest, WaitsForMoreAndSendsItWhenItIsReleased) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  ASSERT_TRUE(client.ok("SET @master_heartbeat_period=1000000"));
  client.begin_dump(dump_from(static_cast<std::uint32_t>(ends_[3]), "binlog.000001", 0));
  EXPECT_EQ(client.events(2), "4:0 15:0 ");
  // A heartbeat says where it is; then the third group comes.
  EXPECT_EQ(client.events(1), "27:" + std::to_string(ends_[3]) + ' ');
  limit_.set({1, ends_[4]});
  std::string text;
  while (!text.ends_with("16:" + std::to_string(ends_[4]) + ' ')) {
    const std::string next = client.events(1);
    ASSERT_FALSE(next.empty());
    text += next;
  }
  EXPECT_EQ(client.events(1), "27:" + std::to_string(ends_[4]) + ' ');
  const FeedStatus status = server.status();
  ASSERT_EQ(status.clients.size(), 1u);
  EXPECT_TRUE(status.clients[0].dumping);
  EXPECT_FALSE(status.clients[0].by_gtid);
  EXPECT_EQ(status.clients[0].server_id, 12u);
  EXPECT_EQ(status.clients[0].position, (Position{1, ends_[4]}));
  EXPECT_GE(status.heartbeats, 2u);
}

TEST_F(BinlogServerTest, WaitsForAFileThatHasNotBegun) {
  BinlogBuilder first;
  first.format_description();
  first.gtid_list({});
  first.group(1);
  const std::uint64_t end = first.rotate("binlog.000002");
  folder_.write(1, first);
  limit_.set({2, 0});  // as the archive says at a rotation, when there is no such file yet
  BinlogServer server(options(), limit_);
  server.start();
  for (const std::string gtid_start : {"none", "", "0-11-1"}) {
    Client client(server.port());
    ASSERT_TRUE(client.login());
    client.begin_dump(dump_from(4, "binlog.000001"), gtid_start);
    EXPECT_TRUE(client.events().ends_with("4:" + std::to_string(end) + ' ')) << gtid_start;
    EXPECT_EQ(client.answer(), mysql::build_eof());
  }
  Client client(server.port());
  ASSERT_TRUE(client.login());
  ASSERT_TRUE(client.ok("SET @master_heartbeat_period=1000000"));
  client.begin_dump(dump_from(4, "binlog.000001", 0));
  std::string text;
  while (!text.ends_with("27:" + std::to_string(end) + ' ')) text += client.events(1);
  EXPECT_FALSE(server.status().clients.back().ahead);
  BinlogBuilder second;
  const std::uint64_t format_end = second.format_description();
  second.gtid_list({{0, 11, 1}});
  second.group(2);
  folder_.write(2, second);
  limit_.set({2, format_end});
  while (!text.ends_with(" 4:0 15:" + std::to_string(format_end) + ' ')) text += client.events(1);
  limit_.set({2, second.size()});
  while (!text.ends_with("16:" + std::to_string(second.size()) + ' ')) text += client.events(1);
}

TEST_F(BinlogServerTest, FollowsGtidsAndSaysWhyNot) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.begin_dump(dump_from(4, ""), "0-11-1");
  const std::string text = client.events();
  EXPECT_EQ(client.answer(), mysql::build_eof());
  // The file's head, the replica's present position, and the second group.
  EXPECT_TRUE(text.starts_with("4:0 15:" + std::to_string(ends_[0]) +
                               " 163:" + std::to_string(ends_[1]) +
                               " 163:" + std::to_string(ends_[2]) + " 162:"))
      << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), ' '), 4 + 3);
  client.begin_dump(dump_from(4, ""), "0-99-2");
  EXPECT_EQ(client.events(), "");
  EXPECT_TRUE(client.error().starts_with("1236 Error: connecting slave requested"))
      << client.error();
  client.begin_dump(dump_from(4, ""), "0-11");
  EXPECT_EQ(client.events(), "");
  EXPECT_EQ(client.error(), "1941 Could not parse GTID list");
  EXPECT_EQ(server.status().refused_dumps, 2u);
}

TEST_F(BinlogServerTest, RefusesImpossibleStarts) {
  build();
  BinlogBuilder third;  // the second file is lost
  limit_.set({3, third.format_description()});
  folder_.write(3, third);
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.begin_dump(dump_from(3, "binlog.000001"));
  EXPECT_EQ(client.events(), "");
  EXPECT_TRUE(client.error().starts_with("1236 Client requested")) << client.error();
  client.begin_dump(dump_from(100, "binlog.000001"));
  EXPECT_EQ(client.events(2), "4:0 15:0 ");
  client.events();
  EXPECT_TRUE(client.error().starts_with("1236 bogus data")) << client.error();
  client.begin_dump(dump_from(1 << 30, "binlog.000001"));
  client.events();
  EXPECT_TRUE(client.error().starts_with("1236 Client requested")) << client.error();
  for (const auto* name :
       {"other.000001", "binlog.1", "binlog", "../binlog.000001", "binlog.000002"}) {
    client.begin_dump(dump_from(4, name));
    client.events();
    EXPECT_TRUE(client.error().starts_with("1236 Could not find first log file name"))
        << name << ": " << client.error();
  }
}

TEST_F(BinlogServerTest, AReplicaThatKnowsNoChecksumsOrNoGtidsIsRefused) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.command(mysql::build_binlog_dump(dump_from(4, "binlog.000001")));
  client.events();
  EXPECT_NE(client.error().find("GTID"), std::string::npos);
  ASSERT_TRUE(client.ok("SET @mariadb_slave_capability=4"));
  client.command(mysql::build_binlog_dump(dump_from(4, "binlog.000001")));
  mysql::Payload rotate = client.receive();
  EXPECT_EQ(parse_event_header(rotate.data() + 1).length, kEventHeaderSize + 8 + 13);
  client.events();
  EXPECT_NE(client.error().find("can not handle replication events with the checksum"),
            std::string::npos);
}

TEST_F(BinlogServerTest, PresentsTheSourcesIdentityOrAConfiguredOne) {
  build();
  for (const std::uint32_t configured : {0u, 77u}) {
    FeedOptions chosen = options();
    chosen.server_id = configured;
    BinlogServer server(chosen, limit_);
    server.start();
    Client client(server.port());
    ASSERT_TRUE(client.login());
    client.query("SELECT @@server_id");
    client.receive();
    client.receive();
    client.receive();
    EXPECT_EQ(client.receive(), mysql::Writer().lenenc_text(configured == 0 ? "11" : "77").take());
    EXPECT_EQ(client.receive(), mysql::build_eof());
  }
}

TEST_F(BinlogServerTest, AQuestionWaitsForTheFirstReleasedBytes) {
  BinlogServer server(options(), limit_);
  server.start();
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.query("SELECT @@server_id");
  Client other(server.port());
  ASSERT_TRUE(other.login());
  EXPECT_TRUE(other.ok("SET @a=1"));  // no other client waits
  build();
  EXPECT_EQ(client.receive(), mysql::Writer().number(std::uint8_t{1}).take());
}

TEST_F(BinlogServerTest, EndsPromptlyWhateverItsClientsDo) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client silent(server.port());
  Client idle(server.port());
  ASSERT_TRUE(idle.login());
  Client waiting(server.port());
  ASSERT_TRUE(waiting.login());
  waiting.begin_dump(dump_from(4, "binlog.000001", 0));
  waiting.events(9);
  wait_for([&] { return server.status().clients.size() == 3; });
  server.stop();
  EXPECT_TRUE(silent.closed_by_server() || silent.closed_by_server());
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_TRUE(waiting.closed_by_server());
  EXPECT_TRUE(server.status().clients.empty());
  EXPECT_EQ(server.port(), 0);
  server.stop();
  // And it can begin again.
  server.start();
  EXPECT_TRUE(Client(server.port()).login());
}

TEST_F(BinlogServerTest, TakesABoundedNumberOfClientsAndForgetsThoseThatLeave) {
  BinlogServer server(options(), limit_);
  server.start();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Client>> clients;
    for (std::uint32_t i = 0; i < options().max_clients; ++i) {
      clients.push_back(std::make_unique<Client>(server.port()));
      ASSERT_TRUE(clients.back()->login());
    }
    Client surplus(server.port());
    const auto error = mysql::parse_error(surplus.receive());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, 1040);
    EXPECT_TRUE(surplus.closed_by_server());
    clients.clear();
    wait_for([&] { return server.status().clients.empty(); });
    // Connections are cleared away a little later than they end.
    wait_for([&] {
      Client probe(server.port());
      return probe.login();
    });
    wait_for([&] { return server.status().clients.empty(); });
  }
}

TEST_F(BinlogServerTest, ANewerDumpOfTheSameIdEndsTheOlderOne) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  Client first(server.port());
  ASSERT_TRUE(first.login());
  first.begin_dump(dump_from(4, "binlog.000001", 0));
  first.events(9);
  Client second(server.port());
  ASSERT_TRUE(second.login());
  second.begin_dump(dump_from(4, "binlog.000001", 0));
  second.events(9);
  first.events(1);
  EXPECT_NE(first.error().find("same server_uuid/server_id"), std::string::npos);
  EXPECT_EQ(server.status().superseded, 1u);
  Client third(server.port());
  ASSERT_TRUE(third.login());
  third.begin_dump(dump_from(4, "binlog.000001", 0, 13));
  third.events(9);
  EXPECT_EQ(server.status().superseded, 1u);
}

TEST_F(BinlogServerTest, SurvivesStrangersAndTheirGarbage) {
  build();
  BinlogServer server(options(), limit_);
  server.start();
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    Client client(server.port());
    const bool known = round % 3 != 0 && client.login();
    mysql::Payload garbage(random() % 200);
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
    if (known) {
      // Framed well, so that it reaches the commands' parsers.
      static constexpr std::uint8_t kCommands[] = {1, 2, 3, 0x0e, 0x12, 0x15, 0x99};
      if (garbage.empty()) garbage.resize(1);
      garbage[0] = static_cast<std::byte>(kCommands[random() % std::size(kCommands)]);
      client.command(garbage);
    } else {
      client.raw(garbage);
    }
  }
  Client bad_sequence(server.port());
  ASSERT_TRUE(bad_sequence.login());
  bad_sequence.send(mysql::build_ok());  // continues counting from the login
  EXPECT_TRUE(bad_sequence.closed_by_server());
  EXPECT_GE(server.status().broken_clients, 1u);
  wait_for([&] {
    Client client(server.port());
    return client.login();
  });
}

// What a stranger says of itself, before any login, is cut where it is parsed: no status page, log
// line or answer grows with it.
TEST_F(BinlogServerTest, AStrangersNameStaysSmall) {
  BinlogServer server(options(), limit_);
  server.start();
  mysql::HandshakeResponse response;
  response.capabilities = mysql::kClientProtocol41 | mysql::kClientSecureConnection;
  // More than a login may have: not even read.
  response.user = std::string(900 << 10, '\x01');
  Client large(server.port());
  ASSERT_FALSE(large.receive().empty());
  large.send(mysql::build_handshake_response(response));
  large.drain();
  wait_for([&] { return server.status().broken_clients == 1u; });
  // Within that, and longer than any name.
  response.user = std::string(3 << 10, '\x01');
  Client small(server.port());
  ASSERT_FALSE(small.receive().empty());
  small.send(mysql::build_handshake_response(response));
  const auto error = mysql::parse_error(small.receive());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 1045);
  EXPECT_LT(error->message.size(), 200u);
  const FeedStatus status = server.status();
  EXPECT_EQ(status.last_error, error->message);
  EXPECT_EQ(std::count(status.last_error.begin(), status.last_error.end(), '\x01'), 0);
  EXPECT_EQ(status.refused_logins, 2u);
  // Clients that have logged in may send more, but longer texts of theirs are not repeated.
  Client client(server.port());
  ASSERT_TRUE(client.login());
  client.query("SELECT '" + std::string(3 << 20, 'x') + "'");
  EXPECT_FALSE(client.receive().empty());
  EXPECT_LT(server.status().last_error.size(), 600u);
}

TEST_F(BinlogServerTest, StrangersKeepNobodyOut) {
  BinlogServer server(options(), limit_);
  server.start();
  // Half a login each, as large as possible: a client that needs a place gets one at once, and they
  // are dropped.
  std::vector<std::unique_ptr<Client>> strangers;
  for (int i = 0; i < 32; ++i) {
    strangers.push_back(std::make_unique<Client>(server.port()));
    const mysql::Payload begun(2000, std::byte{'x'});
    const auto header = mysql::frame_header(4000, 1);
    strangers.back()->raw(header);
    strangers.back()->raw(begun);
  }
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t i = 0; i < options().max_clients; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    ASSERT_TRUE(clients.back()->login()) << i;
  }
  EXPECT_GE(server.status().dropped_logins, 32u - FeedOptions::kMaxStrangers);
  EXPECT_LE(server.status().clients.size(),
            options().max_clients + std::size_t{FeedOptions::kMaxStrangers});
  EXPECT_EQ(server.status().refused_full, 0u);
  // The last of them are ended when the time for a login is over.
  wait_for([&] { return server.status().clients.size() == options().max_clients; });
}

TEST_F(BinlogServerTest, SaysWhyItCannotListen) {
  BinlogServer server(options(), limit_);
  server.start();
  FeedOptions taken = options();
  taken.listen = server.status().listening;
  EXPECT_NE(BinlogServer(taken, limit_).start(), "");
  for (const auto* address :
       {"", "3401", "127.0.0.1", "127.0.0.1:", "localhost:1", "1.2.3.4.5:1"}) {
    FeedOptions wrong = options();
    wrong.listen = address;
    EXPECT_NE(BinlogServer(wrong, limit_).start(), "") << address;
  }
  FeedOptions open_to_all = options();
  open_to_all.listen = "0.0.0.0:0";
  open_to_all.password = Secret();
  EXPECT_NE(BinlogServer(open_to_all, limit_).start(), "");
}

TEST_F(BinlogServerTest, SaysThatItCannotAccept) {
  BinlogServer server(options(), limit_);
  ASSERT_EQ(server.start(), "");
  const int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  {
    const AllDescriptorsTaken none;
    ASSERT_EQ(connect(waiting, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    wait_for(
        [&] { return server.status().problem.find("Too many open files") != std::string::npos; });
  }
  wait_for([&] { return server.status().problem.empty() && server.status().accepted == 1; });
  close(waiting);
}

TEST_F(BinlogServerTest, WhatKeptItFromListeningMayEnd) {
  auto first = std::make_unique<BinlogServer>(options(), limit_);
  ASSERT_EQ(first->start(), "");
  FeedOptions same = options();
  same.listen = first->status().listening;
  BinlogServer server(same, limit_);
  EXPECT_NE(server.start().find("Address already in use"), std::string::npos);
  EXPECT_NE(server.status().problem.find("Address already in use"), std::string::npos);
  EXPECT_EQ(server.status().listening, "");
  first.reset();
  {
    const NoDescriptors none;
    EXPECT_NE(server.start().find("Too many open files"), std::string::npos);
  }
  {
    const NoThreads none;
    EXPECT_NE(server.start().find("no thread can be started"), std::string::npos);
  }
  EXPECT_EQ(server.status().listening, "");
  EXPECT_EQ(server.start(), "");
  EXPECT_EQ(server.status().listening, same.listen);
  EXPECT_EQ(server.status().problem, "");
  EXPECT_TRUE(Client(server.port()).login());
}

}  // namespace
}  // namespace binlane

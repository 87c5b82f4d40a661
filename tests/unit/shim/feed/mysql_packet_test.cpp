// Packets: against bytes recorded between a MariaDB 10.11 replica and its source, back and forth,
// and cut or damaged in every place.

#include "shim/feed/mysql_packet.h"
#include "shim/feed/mysql_frame.h"

#include <gtest/gtest.h>

#include <random>

namespace binlane::mysql {
namespace {

using namespace std::string_literals;

Payload payload_of(const std::string& text) {
  const ConstBytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// A source's greeting and its replica's answer; user "repl", password "pw".
const Payload kGreeting = payload_of(
    "\x0a"
    "5.5.5-10.11.19-MariaDB-0+deb12u1-log\0\x07\0\0\0m3T13Nod\0\xfe\xf7\x08\x02\0\xff\x81\x15"
    "\0\0\0\0\0\0\x1d\0\0\0(9$FvA}sJY]I\0mysql_native_password\0"s);
const Payload kAnswer = payload_of(
    "\x05\xa2\x38\x80{\x03\0@\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0repl\0\x14"
    "\xcf\x88\x16\xa3\x10"
    "F\xcb%\x0cO\xa4\x06z\x04\xe1!o\xfd\t\x8dmysql_native_password\0v\x03_os\x10"
    "debian-linux-gnu\x0c_client_name\x08libmysql\x04_pid\x04"
    "9533\x0f_client_version\x08"
    "10.11.19\x0c_server_host\t127.0.0.1\t_platform\x06x86_64"s);

TEST(Handshake, ParsesARealGreeting) {
  const auto greeting = parse_handshake(kGreeting);
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->server_version, "5.5.5-10.11.19-MariaDB-0+deb12u1-log");
  EXPECT_EQ(greeting->connection_id, 7u);
  EXPECT_EQ(to_text(greeting->challenge), "m3T13Nod(9$FvA}sJY]I");
  EXPECT_EQ(greeting->capabilities & kClientPluginAuth, kClientPluginAuth);
  EXPECT_EQ(greeting->plugin, "mysql_native_password");
}

TEST(Handshake, ParsesARealAnswer) {
  const auto answer = parse_handshake_response(kAnswer);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->user, "repl");
  EXPECT_EQ(answer->token.size(), 20u);
  EXPECT_EQ(answer->plugin, "mysql_native_password");
  EXPECT_EQ(answer->database, "");
}

TEST(Handshake, GoesBackAndForth) {
  Handshake greeting;
  greeting.server_version = "5.5.5-x";
  greeting.connection_id = 0x01020304;
  greeting.challenge.fill(std::byte{'c'});
  greeting.capabilities = kClientProtocol41 | kClientPluginAuth | kClientPluginAuthLenenc;
  const auto parsed = parse_handshake(build_handshake(greeting));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->server_version, greeting.server_version);
  EXPECT_EQ(parsed->connection_id, greeting.connection_id);
  EXPECT_EQ(parsed->challenge, greeting.challenge);
  EXPECT_EQ(parsed->capabilities, greeting.capabilities);
  EXPECT_EQ(parsed->plugin, kNativePassword);

  for (const std::uint32_t extra : {0u, kClientPluginAuthLenenc, kClientConnectWithDb,
                                    kClientPluginAuth | kClientConnectWithDb}) {
    HandshakeResponse response;
    response.capabilities = kClientProtocol41 | kClientSecureConnection | extra;
    response.user = "someone";
    response.token = Payload(20, std::byte{9});
    response.database = (extra & kClientConnectWithDb) != 0 ? "db" : "";
    response.plugin = (extra & kClientPluginAuth) != 0 ? "plug" : "";
    const auto answer = parse_handshake_response(build_handshake_response(response));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->user, response.user);
    EXPECT_EQ(answer->token, response.token);
    EXPECT_EQ(answer->database, response.database);
    EXPECT_EQ(answer->plugin, response.plugin);
  }
}

TEST(Handshake, RefusesTlsAndOldProtocols) {
  Payload answer = kAnswer;
  answer[1] |= std::byte{0x08};  // CLIENT_SSL
  EXPECT_FALSE(parse_handshake_response(answer));
  answer = kAnswer;
  answer[1] &= ~std::byte{0x02};  // CLIENT_PROTOCOL_41
  EXPECT_FALSE(parse_handshake_response(answer));
}

TEST(Handshake, WhatIsCutShortIsNoneOrWhole) {
  // The attributes at the end are not read, and neither is what follows the plugin's name.
  for (std::size_t size = 0; size < kGreeting.size(); ++size) {
    EXPECT_FALSE(parse_handshake(ConstBytes(kGreeting).first(size))) << size;
  }
  for (std::size_t size = 0; size < 58; ++size) {
    const auto answer = parse_handshake_response(ConstBytes(kAnswer).first(size));
    EXPECT_TRUE(!answer || answer->token.size() == 20) << size;
  }
}

TEST(Lenenc, AllWidthsGoBackAndForth) {
  for (const std::uint64_t value :
       {0ull, 1ull, 250ull, 251ull, 252ull, 255ull, 65535ull, 65536ull, 0xffffffull, 0x1000000ull,
        0xffffffffull, 0xffffffffffffffffull}) {
    const Payload payload = Writer().lenenc_number(value).take();
    Reader reader(payload);
    EXPECT_EQ(reader.lenenc_number(), value);
    EXPECT_FALSE(reader.failed());
    EXPECT_TRUE(reader.rest().empty());
    for (std::size_t size = 0; size < payload.size(); ++size) {
      Reader cut(ConstBytes(payload).first(size));
      cut.lenenc_number();
      EXPECT_TRUE(cut.failed());
    }
  }
}

TEST(Lenenc, AHugeLengthIsNoRead) {
  const Payload payload = Writer().lenenc_number(0xffffffffffffffff).text("abc").take();
  Reader reader(payload);
  EXPECT_TRUE(reader.lenenc_bytes().empty());
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.number<std::uint8_t>(), 0);
}

TEST(Error, GoesBackAndForthAndComesWithoutState) {
  const auto error = parse_error(build_error({1236, "HY000", "no such file"}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 1236);
  EXPECT_EQ(error->state, "HY000");
  EXPECT_EQ(error->message, "no such file");
  const auto bare =
      parse_error(Writer().number(kErrorByte).number(std::uint16_t{1040}).text("full").take());
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->code, 1040);
  EXPECT_EQ(bare->message, "full");
  EXPECT_FALSE(parse_error(build_ok()));
  EXPECT_FALSE(parse_error({}));
}

TEST(ResultSet, HasTheShapeOfAServers) {
  const std::vector<std::string> columns{"Variable_name", "Value"};
  const std::vector<Row> rows{{"server_id", "1"}, {"other", std::nullopt}};
  const auto packets = build_result_set(columns, rows);
  ASSERT_EQ(packets.size(), 7u);
  EXPECT_EQ(packets[0], payload_of("\x02"));
  EXPECT_EQ(packets[3], build_eof());
  EXPECT_EQ(packets[4], payload_of("\x09server_id\x01"
                                   "1"));
  Reader reader(packets[5]);
  EXPECT_EQ(reader.lenenc_text_or_null(), "other");
  EXPECT_EQ(reader.lenenc_text_or_null(), std::nullopt);
  EXPECT_FALSE(reader.failed());
  EXPECT_EQ(packets[6], build_eof());
}

TEST(Commands, ParseWhatARealReplicaSends) {
  const auto dump = parse_binlog_dump(payload_of("\x07\x03\0\0\0\0\x02\0\0\0binlog.000002"s));
  ASSERT_TRUE(dump);
  EXPECT_EQ(dump->position, 775u);
  EXPECT_EQ(dump->flags, 0);
  EXPECT_EQ(dump->server_id, 2u);
  EXPECT_EQ(dump->file, "binlog.000002");
  EXPECT_EQ(build_binlog_dump(*dump), payload_of("\x12\x07\x03\0\0\0\0\x02\0\0\0binlog.000002"s));
  const auto slave =
      parse_register_slave(payload_of("\x02\0\0\0\x03"
                                      "abc\0\0\x8b\x84\0\0\0\0\0\0\0\0"s));
  ASSERT_TRUE(slave);
  EXPECT_EQ(slave->server_id, 2u);
  EXPECT_EQ(slave->host, "abc");
  EXPECT_EQ(slave->port, 0x848b);
  // As some readers send it: the name ends with a zero.
  const auto zero = parse_binlog_dump(payload_of("\x07\x03\0\0\0\0\x02\0\0\0binlog.000002\0"s));
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero->file, "binlog.000002");
  EXPECT_FALSE(parse_binlog_dump(payload_of("\x07\x03\0\0\0\0\x02\0\0"s)));
  EXPECT_FALSE(
      parse_register_slave(payload_of("\x02\0\0\0\x05"
                                      "abc"s)));
}

TEST(Commands, ParseWhatAReplicaOfMysqlSends) {
  const auto body = "\2\0\x0c\0\0\0\3\0\0\0abc\x04\0\0\0\1\0\0\0\5\0\0\0hello"s;
  const auto request = parse_binlog_dump_gtid(payload_of(body));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->dump.flags, kDumpHeartbeatV2);
  EXPECT_EQ(request->dump.server_id, 12u);
  EXPECT_EQ(request->dump.file, "abc");
  EXPECT_EQ(request->dump.position, 0x1'0000'0004u);
  EXPECT_EQ(to_text(request->set), "hello");
  EXPECT_EQ(build_binlog_dump_gtid(*request), payload_of("\x1e"s + body));
  // Cut anywhere, and with lengths that reach beyond the end.
  for (std::size_t length = 0; length < body.size(); ++length)
    EXPECT_FALSE(parse_binlog_dump_gtid(payload_of(body.substr(0, length)))) << length;
  for (const std::size_t at : {6, 9, 21, 24}) {
    std::string longer = body;
    longer[at] = '\xff';
    EXPECT_FALSE(parse_binlog_dump_gtid(payload_of(longer))) << at;
  }
}

TEST(Framing, SplitsWhereTheProtocolSays) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kMaxFrame - 1, kMaxFrame, kMaxFrame + 1, 2 * kMaxFrame}) {
    const Payload payload(size, std::byte{7});
    Payload framed;
    std::uint8_t sequence = 254;
    append_framed(framed, payload, sequence);
    const std::size_t frames = size / kMaxFrame + 1;
    EXPECT_EQ(framed.size(), size + frames * kFrameHeaderSize);
    EXPECT_EQ(sequence, static_cast<std::uint8_t>(254 + frames));
    Deframer deframer(2 * kMaxFrame);
    deframer.expect_sequence(254);
    EXPECT_EQ(deframer.consume(framed), framed.size());
    ASSERT_EQ(deframer.state(), Deframer::State::complete);
    EXPECT_EQ(deframer.take(), payload);
    EXPECT_EQ(deframer.next_sequence(), sequence);
  }
}

TEST(Deframer, TakesBytesCutAnywhere) {
  Payload framed;
  std::uint8_t sequence = 0;
  const std::vector<Payload> payloads{payload_of("first"), {}, payload_of("third one")};
  for (const Payload& payload : payloads) append_framed(framed, payload, sequence);
  for (std::size_t piece = 1; piece <= framed.size(); ++piece) {
    Deframer deframer(100);
    std::vector<Payload> seen;
    for (std::size_t at = 0; at < framed.size();) {
      const ConstBytes rest = ConstBytes(framed).subspan(at);
      at += deframer.consume(rest.first(std::min(piece, rest.size())));
      if (deframer.state() == Deframer::State::complete) seen.push_back(deframer.take());
      ASSERT_EQ(deframer.state(), Deframer::State::incomplete);
    }
    EXPECT_EQ(seen, payloads);
  }
}

TEST(Deframer, RefusesLongOnesAndJumpsInTheSequence) {
  Payload framed;
  std::uint8_t sequence = 0;
  append_framed(framed, Payload(101), sequence);
  Deframer small(100);
  small.consume(framed);
  EXPECT_EQ(small.state(), Deframer::State::too_long);
  Deframer jumped(200);
  jumped.expect_sequence(1);
  jumped.consume(framed);
  EXPECT_EQ(jumped.state(), Deframer::State::out_of_sequence);
  EXPECT_EQ(jumped.consume(framed), 0u);
}

TEST(Parsers, SurviveRandomAndDamagedBytes) {
  std::mt19937 random(1);
  const std::vector<Payload> seeds{kGreeting, kAnswer, build_error({1, "HY000", "m"}),
                                   build_binlog_dump({4, 0, 1, "binlog.000001"})};
  for (int round = 0; round < 20000; ++round) {
    Payload bytes = seeds[random() % seeds.size()];
    for (int change = 0; change < 4 && !bytes.empty(); ++change) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    bytes.resize(random() % (bytes.size() + 8));
    parse_handshake(bytes);
    parse_handshake_response(bytes);
    parse_error(bytes);
    parse_binlog_dump(bytes);
    parse_register_slave(bytes);
    Reader reader(bytes);
    reader.lenenc_text_or_null();
    reader.lenenc_bytes();
    Deframer deframer(64);
    EXPECT_LE(deframer.consume(bytes), bytes.size());
  }
}

}  // namespace
}  // namespace binlane::mysql

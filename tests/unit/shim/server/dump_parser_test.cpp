#include "shim/server/dump_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "dump_bytes.h"

namespace binlane {
namespace {

using test::Bytes;
using test::bytes_of;
using test::EventSpec;
using test::format_description;
using test::number;
using test::operator+;
using test::packets;
using test::rotate;
using test::wire;

struct Parsed {
  std::vector<DumpEvent> events;
  std::vector<std::string> names;
  DumpParser::State state = DumpParser::State::running;
  std::string reason;
};

Parsed parse(const Bytes& stream, std::size_t chunk = SIZE_MAX, DumpParser::Options options = {}) {
  DumpParser parser(options);
  Parsed out;
  ConstBytes rest(stream);
  while (!rest.empty()) {
    ConstBytes input = rest.first(std::min(chunk, rest.size()));
    rest = rest.subspan(input.size());
    DumpEvent event;
    for (;;) {
      const auto result = parser.next(input, event);
      if (result != DumpParser::Result::event) break;
      out.events.push_back(event);
      out.names.emplace_back(event.next_file_name);
      out.events.back().next_file_name = {};
    }
    if (parser.state() != DumpParser::State::running) break;
  }
  out.state = parser.state();
  out.reason = parser.malformed_reason();
  return out;
}

Bytes beginning(std::string_view name = "binlog.000007", std::uint64_t offset = 4) {
  return wire(rotate(offset, name)) + wire(format_description(offset == 4 ? 256 : 0, true));
}

EventSpec query(std::uint32_t end_low, std::size_t body = 30) {
  return {EventType::query, end_low, 0, Bytes(body, std::byte{'q'})};
}

TEST(DumpParser, EventsInAnyChunking) {
  const Bytes stream = beginning() + wire(query(305)) +
                       wire({EventType::xid, 336, 0, Bytes(12)}, true) +
                       wire({EventType::heartbeat, 336, 0, bytes_of("binlog.0000071234")});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7},
                                  std::size_t{64}, stream.size()}) {
    const Parsed parsed = parse(stream, chunk);
    ASSERT_EQ(parsed.state, DumpParser::State::running) << parsed.reason;
    ASSERT_EQ(parsed.events.size(), 5U) << "chunk " << chunk;
    EXPECT_TRUE(parsed.events[0].artificial);
    EXPECT_EQ(parsed.names[0], "binlog.000007");
    EXPECT_EQ(parsed.events[0].end, (Position{7, 4}));
    EXPECT_FALSE(parsed.events[1].artificial);
    EXPECT_EQ(parsed.events[1].end, (Position{7, 256}));
    EXPECT_EQ(parsed.events[2].end, (Position{7, 305}));
    EXPECT_FALSE(parsed.events[2].ack_wanted);
    EXPECT_EQ(parsed.events[3].type, EventType::xid);
    EXPECT_TRUE(parsed.events[3].ack_wanted);
    EXPECT_EQ(parsed.events[3].end, (Position{7, 336}));
    EXPECT_TRUE(parsed.events[4].heartbeat);
    EXPECT_EQ(parsed.events[4].end, (Position{7, 336}));
  }
}

TEST(DumpParser, StartWithinAFile) {
  const Parsed parsed = parse(beginning("binlog.000007", 5000) + wire(query(5049)));
  ASSERT_EQ(parsed.events.size(), 3U);
  EXPECT_TRUE(parsed.events[1].artificial);
  EXPECT_EQ(parsed.events[1].end, (Position{7, 5000}));
  EXPECT_EQ(parsed.events[2].end, (Position{7, 5049}));
}

TEST(DumpParser, RotationGoesOnInTheNextFile) {
  const Parsed parsed =
      parse(beginning() + wire(rotate(4, "binlog.000008", 300)) + wire(rotate(4, "binlog.000008")) +
            wire(format_description(256, true)) + wire(query(305)));
  ASSERT_EQ(parsed.events.size(), 6U) << parsed.reason;
  EXPECT_FALSE(parsed.events[2].artificial);
  EXPECT_EQ(parsed.events[2].end, (Position{7, 300}));
  EXPECT_EQ(parsed.events[2].next, (Position{8, 4}));
  EXPECT_EQ(parsed.names[2], "binlog.000008");
  EXPECT_EQ(parsed.events[3].end, (Position{8, 4}));
  EXPECT_EQ(parsed.events[4].end, (Position{8, 256}));
  EXPECT_EQ(parsed.events[5].end, (Position{8, 305}));
}

TEST(DumpParser, ARotateDoesNotProveThatItsFileIsSynced) {
  const Parsed parsed =
      parse(beginning() + wire(rotate(4, "binlog.000008", 300)) + wire(rotate(4, "binlog.000008")) +
            wire(format_description(256, true)) +
            wire({EventType::heartbeat, 256, 0, bytes_of("binlog.0000081234")}));
  ASSERT_EQ(parsed.events.size(), 6U) << parsed.reason;
  std::vector<bool> proves;
  for (const DumpEvent& event : parsed.events) proves.push_back(proves_synced(event));
  EXPECT_EQ(proves, (std::vector<bool>{false, true, false, false, true, false}));
}

TEST(DumpParser, RotationWithoutTheMadeUpRotate) {
  const Parsed parsed = parse(beginning() + wire(rotate(4, "binlog.000008", 300)) +
                              wire(format_description(256, true)));
  ASSERT_EQ(parsed.events.size(), 4U) << parsed.reason;
  EXPECT_EQ(parsed.events[3].end, (Position{8, 256}));
}

TEST(DumpParser, NumbersBeyondSixDigits) {
  const Parsed parsed =
      parse(beginning("my.bin.999999") + wire(rotate(4, "my.bin.1000000", 300)) + wire(query(60)));
  ASSERT_EQ(parsed.events.size(), 4U) << parsed.reason;
  EXPECT_EQ(parsed.events[3].end, (Position{1'000'000, 60}));
}

TEST(DumpParser, PositionsBeyond32Bits) {
  constexpr std::uint64_t kStart = 0x1'ffff'ff00;
  const Parsed parsed = parse(beginning("binlog.000001", kStart) + wire(query(0xffff'ffe0, 100)) +
                              wire(query(0x40, 60)) + wire(query(0x100, 60)));
  ASSERT_EQ(parsed.events.size(), 5U) << parsed.reason;
  EXPECT_EQ(parsed.events[2].end.offset, 0x1'ffff'ffe0U);
  EXPECT_EQ(parsed.events[3].end.offset, 0x2'0000'0040U);
  EXPECT_EQ(parsed.events[4].end.offset, 0x2'0000'0100U);
}

TEST(DumpParser, AnEndThatWrapsToExactlyZero) {
  constexpr std::uint64_t kStart = 0xffff'ff00;
  const Parsed parsed = parse(beginning("binlog.000001", kStart) + wire(query(0, 200)));
  ASSERT_EQ(parsed.events.size(), 3U) << parsed.reason;
  EXPECT_FALSE(parsed.events[2].artificial);
  EXPECT_EQ(parsed.events[2].end.offset, 0x1'0000'0000U);
}

TEST(DumpParser, LeftOutEventsMakeThePositionJump) {
  const Parsed parsed = parse(beginning() + wire(query(0x7000'0000)));
  ASSERT_EQ(parsed.events.size(), 3U) << parsed.reason;
  EXPECT_EQ(parsed.events[2].end.offset, 0x7000'0000U);
}

TEST(DumpParser, EventOverSeveralPackets) {
  constexpr std::uint32_t kFull = 0xff'ffff;
  // The last size makes the payload an exact multiple of a packet: an empty packet follows.
  for (const std::size_t payload : {std::size_t{kFull} + 1, std::size_t{kFull} * 2 + 17,
                                    std::size_t{kFull} - 1, std::size_t{kFull}}) {
    const std::size_t body = payload - 3 - kEventHeaderSize;
    const auto end = static_cast<std::uint32_t>(256 + body + kEventHeaderSize);
    const Bytes stream = beginning() +
                         wire({EventType::query, end, 0, Bytes(body, std::byte{0xff})}, true) +
                         wire(query(end + 49));
    const Parsed parsed = parse(stream, 100'003);
    ASSERT_EQ(parsed.events.size(), 4U) << parsed.reason << " payload " << payload;
    EXPECT_TRUE(parsed.events[2].ack_wanted);
    EXPECT_EQ(parsed.events[2].wire_bytes, body + kEventHeaderSize);
    EXPECT_EQ(parsed.events[2].end.offset, end);
    EXPECT_EQ(parsed.events[3].end.offset, end + 49);
  }
}

TEST(DumpParser, ChecksumsFollowTheFormatDescription) {
  // Without checksums, a Rotate's name is not cut.
  const Parsed parsed =
      parse(wire(rotate(4, "binlog.000007")) + wire(format_description(256, false)) +
            wire(rotate(4, "binlog.000008", 300, false)));
  ASSERT_EQ(parsed.events.size(), 3U) << parsed.reason;
  EXPECT_EQ(parsed.names[2], "binlog.000008");
  const Parsed plain =
      parse(packets(Bytes{std::byte{0}} + test::event_bytes(rotate(4, "binlog.000007", 0, false))),
            SIZE_MAX, {.semi_sync = false, .checksums = false});
  ASSERT_EQ(plain.events.size(), 1U) << plain.reason;
  EXPECT_EQ(plain.names[0], "binlog.000007");
}

TEST(DumpParser, ServerError) {
  const Bytes error = bytes_of("\xff") + number<std::uint16_t>(1236) +
                      bytes_of("#HY000Client requested master to start replication");
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{1000}}) {
    DumpParser parser({});
    const Bytes stream = packets(error);
    ConstBytes rest(stream);
    DumpEvent event;
    while (!rest.empty()) {
      ConstBytes input = rest.first(std::min(chunk, rest.size()));
      rest = rest.subspan(input.size());
      parser.next(input, event);
    }
    ASSERT_EQ(parser.state(), DumpParser::State::server_error);
    EXPECT_EQ(parser.server_error().code, 1236);
    EXPECT_EQ(parser.server_error().text, "Client requested master to start replication");
    ConstBytes more(stream);
    EXPECT_EQ(parser.next(more, event), DumpParser::Result::stopped);
  }
}

TEST(DumpParser, EndOfStream) {
  const Parsed parsed = parse(beginning() + packets(bytes_of("\xfe") + Bytes(4)));
  EXPECT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.state, DumpParser::State::end_of_stream);
}

TEST(DumpParser, Malformed) {
  const auto reason = [](const Bytes& stream) {
    const Parsed parsed = parse(stream);
    EXPECT_EQ(parsed.state, DumpParser::State::malformed);
    return parsed.reason;
  };
  EXPECT_EQ(reason(packets({})), "an empty packet");
  EXPECT_EQ(reason(packets(bytes_of("x"))), "a packet that is no event, error or end");
  EXPECT_EQ(reason(packets(bytes_of("\xff\x01"))), "an error packet without a code");
  EXPECT_EQ(reason(packets(Bytes(1))), "an event shorter than its header");
  EXPECT_EQ(reason(packets(Bytes(21))), "an event shorter than its header");
  EXPECT_EQ(reason(packets(Bytes{std::byte{0}} + test::event_bytes(query(300)))),
            "an event without semi-sync prefix");
  Bytes longer = test::event_bytes(query(300));
  longer.push_back(std::byte{0});
  EXPECT_EQ(reason(packets(Bytes{std::byte{0}, std::byte{0xef}, std::byte{0}} + longer)),
            "an event's length is not its packet's");
  EXPECT_EQ(reason(wire(query(300))), "an event before the first Rotate");
  EXPECT_EQ(reason(wire(rotate(4, "binlog"))), "a Rotate to a file without a number");
  EXPECT_EQ(reason(wire(rotate(3, "binlog.000001"))), "a Rotate into a file's magic");
  // Found by fuzzing: an event after it would have wrapped the position around.
  EXPECT_EQ(reason(wire(rotate(UINT64_MAX - 100, "binlog.000001"))),
            "a Rotate beyond any file's end");
  EXPECT_EQ(reason(wire(rotate(4, ""))), "a Rotate of impossible length");
  EXPECT_EQ(reason(wire(rotate(4, std::string(300, 'x')))), "a Rotate with too long a name");
  EXPECT_EQ(reason(wire(rotate(4, std::string(3000, 'x')))), "a Rotate of impossible length");
  EXPECT_EQ(reason(beginning() + wire(query(256))), "the stream went backwards");
  EXPECT_EQ(reason(beginning() + wire(query(255))), "the stream went backwards");
  EXPECT_EQ(reason(beginning() + wire(rotate(4, "binlog.000006"))), "the stream went backwards");
  EXPECT_EQ(reason(beginning() + wire(rotate(4, "binlog.000007", 300))),
            "the stream went backwards");
}

// Whatever arrives, the parser ends in a state with a reason, and positions never go back.
TEST(DumpParser, SeededGarbage) {
  std::mt19937 random(20'260'101);
  const Bytes valid = beginning() + wire(query(305), true) + wire(rotate(4, "binlog.000008", 350)) +
                      wire(rotate(4, "binlog.000008")) + wire(format_description(256, true)) +
                      wire(query(305));
  std::size_t malformed = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes stream = valid;
    const auto flips = 1 + random() % 4;
    for (std::uint32_t flip = 0; flip < flips; ++flip)
      stream[random() % stream.size()] = static_cast<std::byte>(random());
    if (random() % 4 == 0) stream.resize(random() % stream.size());
    const Parsed parsed = parse(stream, 1 + random() % 97);
    Position last;
    for (const DumpEvent& event : parsed.events) {
      ASSERT_GE(event.end, last) << "round " << round;
      last = event.end;
    }
    malformed += parsed.state == DumpParser::State::malformed ? 1 : 0;
  }
  EXPECT_GT(malformed, 1000U);
}

}  // namespace
}  // namespace binlane

// Frames: what is sealed decodes to the same, and nothing else decodes at all.
#include "dataplane/session/frame.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "dataplane/session/hello.h"
#include "support/frames.h"

namespace binlane {
namespace {

using test::Bytes;
using test::DataFrame;

Bytes filled(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 3);
  return bytes;
}

template <class Body>
Bytes frame_of(wire::Type type) {
  FrameTags tags{type, 0, 0x1122334455667788, Epoch{3, 9}, 42};
  return test::make_frame(tags, Body{});
}

std::vector<Bytes> one_of_each() {
  DataFrame data;
  data.at = {3, 99};
  return {data.with(filled(100)),
          data.marks(),
          data.file_end({3, 99, 80, 1}),
          frame_of<wire::AckBody>(wire::Type::ack),
          frame_of<wire::HelloBody>(wire::Type::hello),
          frame_of<wire::HelloAckBody>(wire::Type::hello_ack),
          frame_of<wire::ExposedBody>(wire::Type::exposed),
          frame_of<wire::ExposedAckBody>(wire::Type::exposed_ack)};
}

TEST(Frame, RoundTripKeepsEveryField) {
  DataFrame data;
  data.session_id = 0x0102030405060708;
  data.epoch = {0xfffffffe, 0xfffffffd};
  data.packet = 0xf1f2f3f4f5f6f7f8;
  data.flags = wire::kFlagAckNow | wire::kFlagProbe;
  data.offset = 0x8182838485868788;
  data.at = {0x91929394, 0xa1a2a3a4a5a6a7a8};
  data.synced = 0xb1b2b3b4b5b6b7b8;
  data.released = 0xc1c2c3c4c5c6c7c8;
  const Bytes payload = filled(wire::kMinDataPayload);
  const Bytes frame = data.with(payload);
  ASSERT_EQ(frame.size(), wire::kMinMaxPayload);

  const FrameView view = test::view_of(frame);
  EXPECT_EQ(view.type(), wire::Type::data);
  EXPECT_EQ(view.epoch(), data.epoch);
  EXPECT_EQ(view.header.session_id, data.session_id);
  EXPECT_EQ(view.header.packet_number, data.packet);
  EXPECT_EQ(view.header.flags, data.flags);
  const auto body = body_as<wire::DataBody>(view);
  EXPECT_EQ(body.stream_offset, data.offset);
  EXPECT_EQ(body.file_offset, data.at.offset);
  EXPECT_EQ(body.file_number, data.at.file);
  EXPECT_EQ(body.synced, data.synced);
  EXPECT_EQ(body.released, data.released);
  EXPECT_TRUE(std::equal(payload.begin(), payload.end(), view.body.begin() + sizeof(wire::DataBody),
                         view.body.end()));
}

TEST(Frame, LayoutIsThatOfTheProtocol) {
  // Bytes on the wire, not what the structs say: two builds have to agree on these.
  DataFrame data;
  data.session_id = 0x0807060504030201;
  data.epoch = {5, 6};
  data.packet = 7;
  data.offset = 8;
  const Bytes frame = data.marks();
  const auto at = [&](std::size_t offset) { return std::to_integer<int>(frame[offset]); };
  EXPECT_EQ(at(0), 'B');
  EXPECT_EQ(at(1), 'L');
  EXPECT_EQ(at(2), 'N');
  EXPECT_EQ(at(3), '1');
  EXPECT_EQ(at(4), 1);  // version
  EXPECT_EQ(at(5), 3);  // type
  EXPECT_EQ(at(8), 1);  // session id, least byte first
  EXPECT_EQ(at(15), 8);
  EXPECT_EQ(at(16), 5);   // term
  EXPECT_EQ(at(20), 6);   // incarnation
  EXPECT_EQ(at(24), 7);   // packet number
  EXPECT_EQ(at(36), 40);  // body length
  EXPECT_EQ(at(56), 8);   // stream offset
}

TEST(Frame, EverySingleBitFlipIsRejected) {
  for (Bytes& frame : one_of_each()) {
    FrameView view;
    ASSERT_EQ(decode(frame, view), FrameFault::none);
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
      frame[bit / 8] ^= mask;
      EXPECT_NE(decode(frame, view), FrameFault::none)
          << "type " << std::to_integer<int>(frame[5]) << " bit " << bit;
      frame[bit / 8] ^= mask;
    }
  }
}

TEST(Frame, EveryTruncationIsRejected) {
  for (const Bytes& frame : one_of_each()) {
    FrameView view;
    for (std::size_t length = 0; length < frame.size(); ++length) {
      // A buffer of its own, so that a sanitizer sees any read past its end.
      const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
      const FrameFault fault = decode(cut, view);
      EXPECT_EQ(fault,
                length < sizeof(wire::Header) ? FrameFault::too_short : FrameFault::wrong_length);
    }
  }
}

TEST(Frame, PaddingBehindTheBodyIsIgnored) {
  for (Bytes frame : one_of_each()) {
    const std::size_t length = frame.size() - sizeof(wire::Header);
    frame.resize(frame.size() + 50, std::byte{0x5a});
    EXPECT_EQ(test::view_of(frame).body.size(), length);
  }
}

// Seals a body of any length under any type, as finish_frame() itself would refuse to.
Bytes forged(wire::Type type, std::uint16_t flags, std::size_t body_length) {
  FrameTags tags{wire::Type::data, 0, 1, Epoch{1, 1}, 1};
  Bytes frame(sizeof(wire::Header) + std::max(body_length, sizeof(wire::DataBody)));
  finish_frame(frame, tags, static_cast<std::uint32_t>(frame.size() - sizeof(wire::Header)));
  frame.resize(sizeof(wire::Header) + body_length);
  wire::Header header;
  std::memcpy(static_cast<void*>(&header), frame.data(), sizeof header);
  header.type = static_cast<std::uint8_t>(type);
  header.flags = flags;
  header.body_length = static_cast<std::uint16_t>(body_length);
  header.integrity = 0;
  std::memcpy(frame.data(), &header, sizeof header);
  header.integrity = crc32c(0, frame);
  std::memcpy(frame.data(), &header, sizeof header);
  return frame;
}

TEST(Frame, EveryTypeHasItsSizes) {
  struct Case {
    wire::Type type;
    std::uint16_t flags;
    std::size_t smallest;
    std::size_t largest;
  };
  constexpr std::size_t kLimit = 1416;
  const Case cases[] = {
      {wire::Type::hello, 0, sizeof(wire::HelloBody), sizeof(wire::HelloBody)},
      {wire::Type::hello_ack, 0, sizeof(wire::HelloAckBody), sizeof(wire::HelloAckBody)},
      {wire::Type::data, 0, sizeof(wire::DataBody), kLimit},
      {wire::Type::data, wire::kFlagFileEnd, sizeof(wire::DataBody) + sizeof(wire::FileEndPayload),
       sizeof(wire::DataBody) + sizeof(wire::FileEndPayload)},
      {wire::Type::ack, 0, sizeof(wire::AckBody), sizeof(wire::AckBody)},
      {static_cast<wire::Type>(5), 0, 1, 0},  // reserved
      {static_cast<wire::Type>(0), 0, 1, 0},
      {wire::Type::exposed, 0, sizeof(wire::ExposedBody), sizeof(wire::ExposedBody)},
      {wire::Type::exposed_ack, 0, sizeof(wire::ExposedAckBody), sizeof(wire::ExposedAckBody)},
      {static_cast<wire::Type>(8), 0, 1, 0},
      {static_cast<wire::Type>(255), 0, 1, 0},
  };
  for (const Case& c : cases) {
    for (std::size_t length = 0; length <= kLimit; ++length) {
      FrameView view;
      const bool fits = length >= c.smallest && length <= c.largest;
      EXPECT_EQ(decode(forged(c.type, c.flags, length), view) == FrameFault::none, fits)
          << static_cast<int>(c.type) << " with a body of " << length;
    }
  }
}

TEST(Frame, FaultsAreToldApart) {
  const auto fault_with = [](std::size_t at, std::byte value) {
    Bytes frame = DataFrame{}.with("x");
    frame[at] = value;
    FrameView view;
    return decode(frame, view);
  };
  EXPECT_EQ(fault_with(0, std::byte{0}), FrameFault::wrong_magic);
  EXPECT_EQ(fault_with(4, std::byte{2}), FrameFault::wrong_version);
  EXPECT_EQ(fault_with(5, std::byte{9}), FrameFault::wrong_type);
  EXPECT_EQ(fault_with(37, std::byte{9}), FrameFault::wrong_length);
  EXPECT_EQ(fault_with(38, std::byte{1}), FrameFault::wrong_key);
  EXPECT_EQ(fault_with(40, std::byte{0}), FrameFault::wrong_integrity);
  EXPECT_EQ(fault_with(44, std::byte{1}), FrameFault::wrong_integrity);  // room of the tag
}

TEST(Frame, TextFieldsAreAlwaysEnded) {
  char field[8];
  set_field(field, "");
  EXPECT_EQ(field_text(field), "");
  set_field(field, "seven77");
  EXPECT_EQ(field_text(field), "seven77");
  set_field(field, "far too long for it");
  EXPECT_EQ(field_text(field), "far too");
  std::memset(field, 'x', sizeof field);  // a peer that does not end its text
  EXPECT_EQ(field_text(field).size(), sizeof field - 1);
  EXPECT_FALSE(is_ended(field));
  set_field(field, "far too long for it");
  EXPECT_TRUE(is_ended(field));
}

TEST(Frame, ClustersHaveDifferentIds) {
  EXPECT_NE(cluster_id_of("demo"), cluster_id_of("demo2"));
  EXPECT_NE(cluster_id_of("ab"), cluster_id_of("ba"));
  EXPECT_EQ(cluster_id_of("demo"), cluster_id_of("demo"));
}

TEST(HelloMessage, IsPaddedToAFullFrameAndTakenWithoutThePadding) {
  HelloMessage sent;
  FrameTags tags;
  tags.type = wire::Type::hello;
  build_hello(sent, tags, wire::HelloBody{});
  EXPECT_EQ(sent.length, wire::kMinMaxPayload);
  EXPECT_EQ(test::view_of(sent.frame()).body.size(), sizeof(wire::HelloBody));

  HelloMessage taken;
  EXPECT_TRUE(fill_hello(taken, 3, {7, 8}, sent.frame()));
  EXPECT_EQ(taken.port, 3U);
  EXPECT_EQ(taken.peer, (Endpoint{7, 8}));
  const Bytes too_long(wire::kMinMaxPayload + 1);
  EXPECT_FALSE(fill_hello(taken, 3, {7, 8}, too_long));
}

}  // namespace
}  // namespace binlane

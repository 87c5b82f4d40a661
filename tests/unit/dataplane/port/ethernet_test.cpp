// Header codecs: known values, every refusal, and bytes of any kind.
#include "dataplane/port/ethernet.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace binlane {
namespace {

constexpr MacAddress kSourceMac{{0x02, 0, 0, 0, 0, 1}};
constexpr MacAddress kDestinationMac{{0x02, 0, 0, 0, 0, 2}};
constexpr Endpoint kSource{0xc6120001, 7100};       // 198.18.0.1
constexpr Endpoint kDestination{0xc6120002, 7200};  // 198.18.0.2

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

std::vector<std::byte> make_frame(std::size_t payload_length,
                                  UdpChecksum checksum = UdpChecksum::software) {
  std::vector<std::byte> frame(kFrameHeaderSize + payload_length);
  for (std::size_t index = 0; index < payload_length; ++index) {
    frame[kFrameHeaderSize + index] = static_cast<std::byte>(index * 7 + 3);
  }
  write_udp_headers(frame, kSourceMac, kDestinationMac, kSource, kDestination, checksum);
  return frame;
}

// Changes the byte at `offset` after the Ethernet header and corrects the IPv4 checksum.
std::vector<std::byte> with_ip_byte(std::size_t offset, unsigned value) {
  std::vector<std::byte> frame = make_frame(100);
  frame[sizeof(EthernetHeader) + offset] = static_cast<std::byte>(value);
  Ipv4Header ip;
  std::memcpy(&ip, frame.data() + sizeof(EthernetHeader), sizeof ip);
  ip.checksum = 0;
  ip.checksum = internet_checksum(internet_sum(std::as_bytes(std::span(&ip, 1)), 0));
  std::memcpy(frame.data() + sizeof(EthernetHeader), &ip, sizeof ip);
  return frame;
}

FrameVerdict verdict_of(ConstBytes frame, bool verify = true) {
  UdpFrame out;
  return parse_udp(frame, verify, out);
}

TEST(InternetChecksum, KnownValues) {
  // The header that RFC 1071's explanations usually compute: checksum b861.
  const auto header = bytes_of({0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7});
  EXPECT_EQ(internet_checksum(internet_sum(header, 0)), 0xb861);
  EXPECT_EQ(internet_checksum(internet_sum({}, 0)), 0xffff);
  const auto odd = bytes_of({0x01, 0x02, 0x03});  // 0102 + 0300
  EXPECT_EQ(internet_checksum(internet_sum(odd, 0)), static_cast<std::uint16_t>(~0x0402));
}

TEST(InternetChecksum, EqualsTheWordByWordSum) {
  std::mt19937 random(1);
  for (std::size_t length = 0; length < 300; ++length) {
    std::vector<std::byte> bytes(length);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    std::uint32_t sum = 0;
    for (std::size_t index = 0; index < length; ++index) {
      sum += std::to_integer<std::uint32_t>(bytes[index]) << (index % 2 == 0 ? 8 : 0);
    }
    while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(internet_checksum(internet_sum(bytes, 0)), static_cast<std::uint16_t>(~sum));
  }
}

TEST(Ethernet, WritesTheBytesOfTheStandards) {
  const std::vector<std::byte> frame = make_frame(1);
  const auto expected = bytes_of(
      {0x02, 0,    0,    0,    0,    2,    0x02, 0,    0,  0,  0, 1, 0x08, 0x00,  // Ethernet
       0x45, 0x00, 0,    29,   0,    0,    0x40, 0x00, 64, 17, 0, 0,              // IPv4, DF
       0xc6, 0x12, 0x00, 0x01, 0xc6, 0x12, 0x00, 0x02,                            //
       0x1b, 0xbc, 0x1c, 0x20, 0,    9});                                         // UDP
  ASSERT_GE(frame.size(), expected.size());
  // The next test covers the IPv4 checksum; this one the rest.
  for (std::size_t index = 0; index < expected.size(); ++index) {
    if (index == 24 || index == 25) continue;
    EXPECT_EQ(frame[index], expected[index]) << "byte " << index;
  }
  const ConstBytes header = ConstBytes(frame).subspan(sizeof(EthernetHeader), sizeof(Ipv4Header));
  EXPECT_EQ(internet_checksum(internet_sum(header, 0)), 0);
}

TEST(Ethernet, RoundTripOfEverySize) {
  for (std::size_t length = 0; length <= 1472; ++length) {
    const std::vector<std::byte> frame = make_frame(length);
    UdpFrame out;
    ASSERT_EQ(parse_udp(frame, true, out), FrameVerdict::udp) << length;
    EXPECT_EQ(out.source, kSource);
    EXPECT_EQ(out.destination, kDestination);
    EXPECT_EQ(out.source_mac, kSourceMac);
    ASSERT_EQ(out.payload.size(), length);
    EXPECT_EQ(out.payload.data(), frame.data() + kFrameHeaderSize);
  }
}

TEST(Ethernet, PaddingBehindTheDatagramIsNotPayload) {
  std::vector<std::byte> frame = make_frame(3);
  frame.resize(60, std::byte{0xee});
  UdpFrame out;
  ASSERT_EQ(parse_udp(frame, true, out), FrameVerdict::udp);
  EXPECT_EQ(out.payload.size(), 3U);
}

TEST(Ethernet, OffloadLeavesThePseudoHeaderSum) {
  const std::vector<std::byte> frame = make_frame(100, UdpChecksum::offload);
  EXPECT_EQ(verdict_of(frame, false), FrameVerdict::udp);
  EXPECT_EQ(verdict_of(frame, true), FrameVerdict::bad_checksum);
  // What a device then does: sum the UDP part, its checksum field included, and complement.
  std::vector<std::byte> completed = frame;
  const std::size_t udp = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  const be16 sum = internet_checksum(internet_sum(ConstBytes(frame).subspan(udp), 0));
  std::memcpy(completed.data() + udp + offsetof(UdpHeader, checksum), &sum, sizeof sum);
  EXPECT_EQ(completed, make_frame(100));
}

TEST(Ethernet, NoChecksumIsAllowed) {
  std::vector<std::byte> frame = make_frame(50);
  const std::size_t at =
      sizeof(EthernetHeader) + sizeof(Ipv4Header) + offsetof(UdpHeader, checksum);
  frame[at] = frame[at + 1] = std::byte{0};
  EXPECT_EQ(verdict_of(frame), FrameVerdict::udp);
}

TEST(Ethernet, RefusesEachKindOfDamage) {
  const std::vector<std::byte> good = make_frame(100);
  ASSERT_EQ(verdict_of(good), FrameVerdict::udp);
  ASSERT_EQ(verdict_of(with_ip_byte(1, 0)), FrameVerdict::udp);  // the helper itself is right

  std::vector<std::byte> frame = good;
  frame[13] = std::byte{0x06};
  EXPECT_EQ(verdict_of(frame), FrameVerdict::not_ipv4);
  for (const std::size_t length : {std::size_t{0}, std::size_t{13}, std::size_t{14},
                                   std::size_t{33}, std::size_t{41}, good.size() - 1}) {
    EXPECT_EQ(verdict_of(ConstBytes(good).first(length)), FrameVerdict::truncated) << length;
  }
  EXPECT_EQ(verdict_of(with_ip_byte(0, 0x65)), FrameVerdict::bad_ipv4);  // version 6
  EXPECT_EQ(verdict_of(with_ip_byte(0, 0x44)), FrameVerdict::bad_ipv4);  // four words
  EXPECT_EQ(verdict_of(with_ip_byte(3, 10)), FrameVerdict::bad_ipv4);    // shorter than its header
  EXPECT_EQ(verdict_of(with_ip_byte(2, 0xff)), FrameVerdict::truncated);
  EXPECT_EQ(verdict_of(with_ip_byte(6, 0x20)), FrameVerdict::fragment);  // more fragments
  EXPECT_EQ(verdict_of(with_ip_byte(7, 0x01)), FrameVerdict::fragment);  // an offset
  EXPECT_EQ(verdict_of(with_ip_byte(9, 6)), FrameVerdict::not_udp);
  frame = good;
  frame[sizeof(EthernetHeader) + 10] ^= std::byte{1};  // IPv4 checksum
  EXPECT_EQ(verdict_of(frame), FrameVerdict::bad_ipv4);
  frame = good;
  frame[sizeof(EthernetHeader) + sizeof(Ipv4Header) + 4] = std::byte{0xff};
  EXPECT_EQ(verdict_of(frame), FrameVerdict::bad_udp_length);
  frame = good;
  frame[sizeof(EthernetHeader) + sizeof(Ipv4Header) + 4] = std::byte{0};
  frame[sizeof(EthernetHeader) + sizeof(Ipv4Header) + 5] = std::byte{7};
  EXPECT_EQ(verdict_of(frame), FrameVerdict::bad_udp_length);
  frame = good;
  frame.back() ^= std::byte{0x10};
  EXPECT_EQ(verdict_of(frame), FrameVerdict::bad_checksum);
  EXPECT_EQ(verdict_of(frame, false), FrameVerdict::udp);
}

TEST(Ethernet, HeaderOptionsAreSkipped) {
  std::vector<std::byte> frame = make_frame(20);
  frame.insert(frame.begin() + sizeof(EthernetHeader) + sizeof(Ipv4Header), 4, std::byte{1});
  Ipv4Header ip;
  std::memcpy(&ip, frame.data() + sizeof(EthernetHeader), sizeof ip);
  ip.version_and_words = 0x46;
  ip.total_length = static_cast<std::uint16_t>(ip.total_length + 4);
  ip.checksum = 0;
  std::memcpy(frame.data() + sizeof(EthernetHeader), &ip, sizeof ip);
  ip.checksum = internet_checksum(
      internet_sum(ConstBytes(frame).subspan(sizeof(EthernetHeader), sizeof ip + 4), 0));
  std::memcpy(frame.data() + sizeof(EthernetHeader), &ip, sizeof ip);
  UdpFrame out;
  ASSERT_EQ(parse_udp(frame, true, out), FrameVerdict::udp);
  EXPECT_EQ(out.payload.size(), 20U);
}

// Each buffer has exactly its bytes on the heap, so that a sanitizer sees any step outside.
TEST(Ethernet, AnyBytesAreSafe) {
  std::mt19937 random(7);
  std::size_t accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::vector<std::byte> frame = make_frame(random() % 64);
    const unsigned changes = random() % 4;
    for (unsigned change = 0; change < changes; ++change) {
      frame[random() % frame.size()] = static_cast<std::byte>(random());
    }
    if (random() % 4 == 0) frame.resize(random() % (frame.size() + 1));
    frame.shrink_to_fit();
    UdpFrame out;
    if (parse_udp(frame, random() % 2 == 0, out) != FrameVerdict::udp) continue;
    ++accepted;
    if (out.payload.empty()) continue;
    ASSERT_GE(out.payload.data(), frame.data());
    ASSERT_LE(out.payload.data() + out.payload.size(), frame.data() + frame.size());
  }
  EXPECT_GT(accepted, 1000U);
}

TEST(Ethernet, MadeUpMacIsLocalUnicast) {
  const MacAddress mac = mac_from_ipv4(0xc6120001);
  EXPECT_TRUE(mac.is_unicast());
  EXPECT_EQ(mac.bytes[0] & 2U, 2U);
  EXPECT_NE(mac, mac_from_ipv4(0xc6120002));
  EXPECT_FALSE(kBroadcastMac.is_unicast());
  EXPECT_FALSE(MacAddress{}.is_unicast());
}

}  // namespace
}  // namespace binlane

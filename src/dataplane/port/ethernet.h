// Ethernet, IPv4 and UDP headers: build and parse. Pure functions over byte spans.
//
// parse_udp() takes any bytes from the wire; it never reads outside its span. It refuses fragments,
// bad lengths and bad checksums, which a port counts as foreign. Network numbers are big endian and
// remain so in the structs: Be<T> converts.
#pragma once

#include <array>
#include <boost/endian/arithmetic.hpp>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "dataplane/port/port.h"

namespace binlane {

// Big-endian integers of alignment 1, as headers of the Internet protocols hold them. Their type
// converts; DPDK's own header structs hold plain integers, which a forgotten conversion passes by.
using be16 = boost::endian::big_uint16_t;
using be32 = boost::endian::big_uint32_t;
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  constexpr auto operator<=>(const MacAddress&) const = default;
  // Multicast includes broadcast.
  constexpr bool is_multicast() const noexcept { return (bytes[0] & 1U) != 0; }
  constexpr bool is_zero() const noexcept { return *this == MacAddress{}; }
  // Whether it may be a source address: bridges drop frames whose source is multicast.
  constexpr bool is_unicast() const noexcept { return !is_multicast() && !is_zero(); }
};
static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1);

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// A locally administered unicast address made from an IPv4 address, hence unique on its link.
MacAddress mac_from_ipv4(std::uint32_t ipv4) noexcept;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  be16 ether_type{};
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct Ipv4Header {
  std::uint8_t version_and_words = 0;
  std::uint8_t service = 0;
  be16 total_length{};
  be16 id{};
  be16 fragment{};  // flags and offset
  std::uint8_t time_to_live = 0;
  std::uint8_t protocol = 0;
  be16 checksum{};
  be32 source{};
  be32 destination{};
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

struct UdpHeader {
  be16 source_port{};
  be16 destination_port{};
  be16 length{};
  be16 checksum{};
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

inline constexpr std::size_t kUdpIpHeaderSize = sizeof(Ipv4Header) + sizeof(UdpHeader);
inline constexpr std::size_t kFrameHeaderSize = sizeof(EthernetHeader) + kUdpIpHeaderSize;
static_assert(kUdpIpHeaderSize == 28 && kFrameHeaderSize == 42);

// Who computes the UDP checksum of an outgoing frame.
enum class UdpChecksum : std::uint8_t {
  software,
  offload,  // the field holds the pseudo header's sum, the device adds the rest
};

// Writes the 42 bytes of headers before `payload_length` bytes that are already in `frame`.
void write_udp_headers(MutableBytes frame, const MacAddress& source_mac,
                       const MacAddress& destination_mac, const Endpoint& source,
                       const Endpoint& destination, UdpChecksum checksum) noexcept;

enum class FrameVerdict : std::uint8_t {
  udp,             // `out` is filled in
  not_ipv4,        // another EtherType
  truncated,       // shorter than its own headers or lengths say
  bad_ipv4,        // version, header length or header checksum
  fragment,        //
  not_udp,         // another IP protocol
  bad_udp_length,  //
  bad_checksum,    // of UDP
};

struct UdpFrame {
  MacAddress source_mac;
  Endpoint source;
  Endpoint destination;
  ConstBytes payload;  // inside the frame
};

// `verify_udp_checksum` is false if the device has vouched for it. A zero checksum field means that
// the sender made none, as RFC 768 allows.
FrameVerdict parse_udp(ConstBytes frame, bool verify_udp_checksum, UdpFrame& out) noexcept;

// One's complement sum of `bytes` added to `sum`, not yet folded (RFC 1071), in memory byte order.
std::uint64_t internet_sum(ConstBytes bytes, std::uint64_t sum) noexcept;
// The folded and complemented checksum, as the value of a be16.
std::uint16_t internet_checksum(std::uint64_t sum) noexcept;

}  // namespace binlane

#include "dataplane/port/ethernet.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <cstring>

#include "base/assert.h"

namespace binlane {

// The layouts are DPDK's.
static_assert(sizeof(EthernetHeader) == sizeof(rte_ether_hdr));
static_assert(offsetof(EthernetHeader, ether_type) == offsetof(rte_ether_hdr, ether_type));
static_assert(sizeof(Ipv4Header) == sizeof(rte_ipv4_hdr));
static_assert(offsetof(Ipv4Header, fragment) == offsetof(rte_ipv4_hdr, fragment_offset));
static_assert(offsetof(Ipv4Header, checksum) == offsetof(rte_ipv4_hdr, hdr_checksum));
static_assert(offsetof(Ipv4Header, destination) == offsetof(rte_ipv4_hdr, dst_addr));
static_assert(sizeof(UdpHeader) == sizeof(rte_udp_hdr));
static_assert(offsetof(UdpHeader, checksum) == offsetof(rte_udp_hdr, dgram_cksum));
static_assert(kEtherTypeIpv4 == RTE_ETHER_TYPE_IPV4 && kEtherTypeArp == RTE_ETHER_TYPE_ARP);

namespace {

constexpr std::uint8_t kVersion4FiveWords = 0x45;
constexpr std::uint8_t kTimeToLive = 64;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmentMask = 0x3fff;  // more-fragments flag and offset
constexpr std::uint64_t kLocallyAdministered = 0x02;

template <class T>
T load(ConstBytes bytes, std::size_t offset) noexcept {
  BL_ASSERT(offset + sizeof(T) <= bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void store(MutableBytes bytes, std::size_t offset, const T& value) noexcept {
  BL_ASSERT(offset + sizeof(T) <= bytes.size());
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::uint64_t pseudo_header_sum(std::uint32_t source, std::uint32_t destination,
                                std::uint16_t udp_length) noexcept {
  struct {
    be32 source, destination;
    be16 protocol, length;
  } const header{source, destination, kProtocolUdp, udp_length};
  static_assert(sizeof header == 12);
  return internet_sum(std::as_bytes(std::span(&header, 1)), 0);
}

std::uint16_t fold(std::uint64_t sum) noexcept {
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t swap_bytes(std::uint16_t value) noexcept {
  return static_cast<std::uint16_t>((value << 8) | (value >> 8));
}

}  // namespace

MacAddress mac_from_ipv4(std::uint32_t ipv4) noexcept {
  return {{static_cast<std::uint8_t>(kLocallyAdministered), 0xb1,
           static_cast<std::uint8_t>(ipv4 >> 24), static_cast<std::uint8_t>(ipv4 >> 16),
           static_cast<std::uint8_t>(ipv4 >> 8), static_cast<std::uint8_t>(ipv4)}};
}

std::uint64_t internet_sum(ConstBytes bytes, std::uint64_t sum) noexcept {
  // Eight bytes at a time into 64-bit accumulators: a frame is far too short to overflow them.
  const std::byte* data = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; data += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, sizeof word);
    sum += (word & 0xffffffff) + (word >> 32);
  }
  if (left > 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, left);
    sum += (word & 0xffffffff) + (word >> 32);
  }
  return sum;
}

std::uint16_t internet_checksum(std::uint64_t sum) noexcept {
  return swap_bytes(static_cast<std::uint16_t>(~fold(sum)));
}

void write_udp_headers(MutableBytes frame, const MacAddress& source_mac,
                       const MacAddress& destination_mac, const Endpoint& source,
                       const Endpoint& destination, UdpChecksum checksum) noexcept {
  BL_ASSERT(frame.size() >= kFrameHeaderSize);
  const std::size_t ip_length = frame.size() - sizeof(EthernetHeader);
  const std::size_t udp_length = ip_length - sizeof(Ipv4Header);
  BL_ASSERT(ip_length <= 0xffff);

  store(frame, 0, EthernetHeader{destination_mac, source_mac, kEtherTypeIpv4});

  Ipv4Header ip;
  ip.version_and_words = kVersion4FiveWords;
  ip.total_length = static_cast<std::uint16_t>(ip_length);
  ip.fragment = kDontFragment;  // the id may then be zero (RFC 6864)
  ip.time_to_live = kTimeToLive;
  ip.protocol = kProtocolUdp;
  ip.source = source.ipv4;
  ip.destination = destination.ipv4;
  ip.checksum = internet_checksum(internet_sum(std::as_bytes(std::span(&ip, 1)), 0));
  store(frame, sizeof(EthernetHeader), ip);

  UdpHeader udp;
  udp.source_port = source.udp_port;
  udp.destination_port = destination.udp_port;
  udp.length = static_cast<std::uint16_t>(udp_length);
  const std::size_t udp_offset = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  const std::uint64_t pseudo =
      pseudo_header_sum(source.ipv4, destination.ipv4, static_cast<std::uint16_t>(udp_length));
  if (checksum == UdpChecksum::offload) {
    udp.checksum = swap_bytes(fold(pseudo));
    store(frame, udp_offset, udp);
    return;
  }
  store(frame, udp_offset, udp);
  std::uint16_t sum = internet_checksum(internet_sum(frame.subspan(udp_offset), pseudo));
  if (sum == 0) sum = 0xffff;  // zero would mean "none"; both represent the same number
  udp.checksum = sum;
  store(frame, udp_offset, udp);
}

FrameVerdict parse_udp(ConstBytes frame, bool verify_udp_checksum, UdpFrame& out) noexcept {
  if (frame.size() < sizeof(EthernetHeader)) return FrameVerdict::truncated;
  const auto ethernet = load<EthernetHeader>(frame, 0);
  if (ethernet.ether_type != kEtherTypeIpv4) return FrameVerdict::not_ipv4;

  ConstBytes packet = frame.subspan(sizeof(EthernetHeader));
  if (packet.size() < sizeof(Ipv4Header)) return FrameVerdict::truncated;
  const auto ip = load<Ipv4Header>(packet, 0);
  const std::size_t header_length = (ip.version_and_words & 0x0fU) * std::size_t{4};
  if ((ip.version_and_words >> 4) != 4 || header_length < sizeof(Ipv4Header)) {
    return FrameVerdict::bad_ipv4;
  }
  const std::size_t total_length = ip.total_length;
  if (total_length < header_length) return FrameVerdict::bad_ipv4;
  if (total_length > packet.size()) return FrameVerdict::truncated;
  packet = packet.first(total_length);  // what follows is Ethernet's padding
  if (fold(internet_sum(packet.first(header_length), 0)) != 0xffff) return FrameVerdict::bad_ipv4;
  if ((ip.fragment & kFragmentMask) != 0) return FrameVerdict::fragment;
  if (ip.protocol != kProtocolUdp) return FrameVerdict::not_udp;

  const ConstBytes segment = packet.subspan(header_length);
  if (segment.size() < sizeof(UdpHeader)) return FrameVerdict::truncated;
  const auto udp = load<UdpHeader>(segment, 0);
  const std::uint16_t udp_length = udp.length;
  if (udp_length < sizeof(UdpHeader) || udp_length > segment.size()) {
    return FrameVerdict::bad_udp_length;
  }
  const ConstBytes datagram = segment.first(udp_length);
  if (verify_udp_checksum && udp.checksum != 0) {
    const std::uint64_t pseudo = pseudo_header_sum(ip.source, ip.destination, udp_length);
    if (fold(internet_sum(datagram, pseudo)) != 0xffff) return FrameVerdict::bad_checksum;
  }
  out.source_mac = ethernet.source;
  out.source = {ip.source, udp.source_port};
  out.destination = {ip.destination, udp.destination_port};
  out.payload = datagram.subspan(sizeof(UdpHeader));
  return FrameVerdict::udp;
}

}  // namespace binlane

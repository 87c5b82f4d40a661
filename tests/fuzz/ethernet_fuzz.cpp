// The first code that sees a NIC's bytes: Ethernet, IPv4, UDP and ARP.
//
// An input is records of {control, chunk}: the chunk is a frame as it arrives. Control: bit 0: the
// checksums are corrected (so that the content is wrong, not the sums); bit 1: the device vouches
// for UDP's checksum; bit 2: we send to the address in the chunk's last four bytes first; bits 3 to
// 7: how much time passes.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "dataplane/port/arp.h"
#include "dataplane/port/ethernet.h"
#include "fuzz_target.h"

namespace {

using namespace binlane;

constexpr std::uint32_t kLocal = 0xc6120001;
constexpr std::uint32_t kFixed = 0xc6120009;  // an address that is configured
constexpr MacAddress kLocalMac{{0x02, 0, 0, 0, 0, 0xa}};
constexpr MacAddress kFixedMac{{0x02, 0, 0, 0, 0, 0xf}};
constexpr std::size_t kMaxRecords = 256;

enum Control : std::uint8_t {
  kSealed = 1 << 0,
  kVouched = 1 << 1,
  kSends = 1 << 2,
};

// Where the headers are where they mostly are, their sums become right.
void put_checksums_right(MutableBytes frame) {
  constexpr std::size_t kIp = sizeof(EthernetHeader);
  if (frame.size() < kFrameHeaderSize) return;
  Ipv4Header ip;
  std::memcpy(&ip, frame.data() + kIp, sizeof ip);
  ip.checksum = 0;
  ip.checksum = internet_checksum(internet_sum(std::as_bytes(std::span(&ip, 1)), 0));
  std::memcpy(frame.data() + kIp, &ip, sizeof ip);
  // Zero says that there is none.
  constexpr std::size_t kUdpChecksum = kIp + sizeof(Ipv4Header) + 6;
  frame[kUdpChecksum] = frame[kUdpChecksum + 1] = std::byte{0};
}

void check_udp(ConstBytes frame, bool verify) {
  UdpFrame udp;
  if (parse_udp(frame, verify, udp) != FrameVerdict::udp) return;
  BL_ASSERT(udp.payload.data() >= frame.data());
  BL_ASSERT(udp.payload.data() + udp.payload.size() <= frame.data() + frame.size());
  // What was read encodes to a frame that says the same, and is whole.
  std::vector<std::byte> again(kFrameHeaderSize + udp.payload.size());
  std::copy(udp.payload.begin(), udp.payload.end(),
            again.begin() + static_cast<std::ptrdiff_t>(kFrameHeaderSize));
  write_udp_headers(again, udp.source_mac, kLocalMac, udp.source, udp.destination,
                    UdpChecksum::software);
  UdpFrame second;
  BL_ASSERT(parse_udp(again, true, second) == FrameVerdict::udp);
  BL_ASSERT(second.source == udp.source && second.destination == udp.destination);
  BL_ASSERT(std::equal(second.payload.begin(), second.payload.end(), udp.payload.begin(),
                       udp.payload.end()));
}

bool is_arp_request(ConstBytes frame) {
  if (frame.size() < kArpFrameSize) return false;
  ArpMessage message;
  std::memcpy(&message, frame.data() + sizeof(EthernetHeader), sizeof message);
  return message.operation == 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  ArpTable table(kLocalMac, kLocal);
  BL_ASSERT(table.add_static(kFixed, kFixedMac));
  std::uint64_t now_ns = kNanosPerSecond;
  for (std::size_t i = 0; i < kMaxRecords && !input.empty(); ++i) {
    const std::uint8_t control = input.byte();
    const ConstBytes chunk = input.chunk();
    std::vector<std::byte> frame(chunk.begin(), chunk.end());
    if ((control & kSealed) != 0) put_checksums_right(frame);
    check_udp(frame, (control & kVouched) == 0);

    std::uint32_t to = 0;
    if (frame.size() >= sizeof to) std::memcpy(&to, frame.data() + frame.size() - 4, sizeof to);
    const MacAddress* mac = (control & kSends) != 0 ? table.resolve(to) : nullptr;
    const bool knew = mac != nullptr;
    const MacAddress before = knew ? *mac : MacAddress{};
    const bool arp = table.on_frame(frame, now_ns);
    BL_ASSERT(!arp || frame.size() >= sizeof(EthernetHeader));
    if (knew) {
      const MacAddress* after = table.resolve(to);
      BL_ASSERT(after != nullptr);                             // what is used is not pushed out
      if (is_arp_request(frame)) BL_ASSERT(*after == before);  // nor moved by a claim
    }
    BL_ASSERT(*table.resolve(kFixed) == kFixedMac);

    std::array<std::byte, kArpFrameSize> out{};
    std::size_t frames = 0;
    while (table.poll(now_ns, out) != 0) {
      BL_ASSERT(++frames <= kArpMaxEntries + kArpMaxPendingReplies);
      ArpMessage message;
      std::memcpy(&message, out.data() + sizeof(EthernetHeader), sizeof message);
      BL_ASSERT(message.sender_mac == kLocalMac && message.sender_ipv4 == kLocal);
    }
    now_ns += (control >> 3) * kArpRequestIntervalNs * 20;
  }
  return 0;
}

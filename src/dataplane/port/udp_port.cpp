#include "dataplane/port/udp_port.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "base/error.h"
#include "dataplane/port/ethernet.h"

namespace binlane {
namespace {

// One received burst, as many copies, and the packets that the fault stage may hold.
constexpr std::size_t rx_slots(std::size_t held_max) {
  return 2 * kRxBurst + held_max;
}
constexpr std::size_t kMaxRxSlots = rx_slots(kFaultMaxHeld + kFaultMaxDelayed);
constexpr std::size_t kTxSlots = 128;
constexpr int kWantedSocketBuffer = 4 * 1024 * 1024;
// The kernel charges a small datagram with its buffer's true size; a full frame with about this.
constexpr std::uint32_t kKernelBytesPerDatagram = 2304;

using Slot = std::uint16_t;

void enlarge(int fd, int force_option, int option) {
  // The forced form needs CAP_NET_ADMIN; the other form is limited by the system's bound.
  if (::setsockopt(fd, SOL_SOCKET, force_option, &kWantedSocketBuffer,
                   sizeof kWantedSocketBuffer) == 0) {
    return;
  }
  // A smaller buffer only drops more under load, which the protocol repairs.
  static_cast<void>(
      ::setsockopt(fd, SOL_SOCKET, option, &kWantedSocketBuffer, sizeof kWantedSocketBuffer));
}

}  // namespace

struct UdpPort::Buffers {
  struct StageOps {
    Buffers* buffers;

    void drop(Slot slot) { buffers->free_slots[buffers->free_count++] = slot; }
    bool copy(Slot from, Slot& to) {
      if (buffers->free_count == 0) return false;
      to = buffers->free_slots[--buffers->free_count];
      std::memcpy(buffers->rx_data(to), buffers->rx_data(from), buffers->rx_lengths[from]);
      buffers->rx_lengths[to] = buffers->rx_lengths[from];
      buffers->rx_addresses[to] = buffers->rx_addresses[from];
      return true;
    }
    void corrupt(Slot slot, std::uint32_t random) {
      const std::uint32_t length = buffers->rx_lengths[slot];
      if (length == 0) return;
      buffers->rx_data(slot)[random % length] ^= std::byte{1} << (random >> 29);
    }
  };

  Buffers(const PortConfig& config, std::uint32_t payload)
      : stride(payload),
        rx_bytes(rx_slots(config.faults.held_max()) * stride),
        tx_bytes(kTxSlots * stride) {
    for (std::size_t index = 0; index < rx_slots(config.faults.held_max()); ++index) {
      free_slots[free_count++] = static_cast<Slot>(index);
    }
    if (config.faults.any()) {
      stage = std::make_unique<FaultStage<Slot, StageOps>>(faults_of(config));
    }
  }

  std::byte* rx_data(std::size_t slot) { return rx_bytes.data() + slot * stride; }
  std::byte* tx_data(std::size_t slot) { return tx_bytes.data() + slot * stride; }

  std::size_t stride;
  std::vector<std::byte> rx_bytes, tx_bytes;

  std::size_t free_count = 0;
  std::array<Slot, kMaxRxSlots> free_slots{};
  std::array<std::uint32_t, kMaxRxSlots> rx_lengths{};
  std::array<sockaddr_in, kMaxRxSlots> rx_addresses{};
  std::size_t delivered_count = 0;
  std::array<Slot, kRxBurst> delivered{};
  std::array<Datagram, kRxBurst> datagrams{};
  std::array<mmsghdr, kRxBurst> rx_headers{};
  std::array<iovec, kRxBurst> rx_vectors{};

  // A ring, so that leftovers need not be moved: [tx_first, tx_first + tx_count).
  std::size_t tx_first = 0;
  std::size_t tx_count = 0;
  bool tx_open = false;
  std::array<std::uint32_t, kTxSlots> tx_lengths{};
  std::array<sockaddr_in, kTxSlots> tx_addresses{};
  std::array<mmsghdr, kTxSlots> tx_headers{};
  std::array<iovec, kTxSlots> tx_vectors{};

  std::unique_ptr<FaultStage<Slot, StageOps>> stage;
};

UdpPort::UdpPort(const PortConfig& config)
    : max_payload_(config.mtu - static_cast<std::uint32_t>(kUdpIpHeaderSize)) {
  BL_ASSERT(config.mtu >= kMinMtu && config.mtu <= kMaxMtu);
  const auto fail = [&](const char* what) {
    const int code = errno;
    if (fd_ >= 0) ::close(fd_);
    const std::uint32_t ip = config.local.ipv4;
    throw StartupError(fmt::format("UDP port {}.{}.{}.{}:{}: {}: {}", ip >> 24, ip >> 16 & 0xff,
                                   ip >> 8 & 0xff, ip & 0xff, config.local.udp_port, what,
                                   errno_text(code)));
  };
  buffers_ = std::make_unique<Buffers>(config, max_payload_);
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail("socket");
  const int discover = IP_PMTUDISC_PROBE;  // sets DF: a path with a smaller MTU must show itself
  if (::setsockopt(fd_, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) != 0) {
    fail("IP_MTU_DISCOVER");
  }
  enlarge(fd_, SO_RCVBUFFORCE, SO_RCVBUF);
  enlarge(fd_, SO_SNDBUFFORCE, SO_SNDBUF);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(config.local.ipv4);
  address.sin_port = htons(config.local.udp_port);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  socklen_t size = sizeof address;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  local_ = {ntohl(address.sin_addr.s_addr), ntohs(address.sin_port)};

  int receive_buffer = 0;
  size = sizeof receive_buffer;
  if (::getsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, &size) != 0) fail("SO_RCVBUF");
  rx_capacity_ =
      static_cast<std::uint32_t>(receive_buffer) / std::max(config.mtu, kKernelBytesPerDatagram);
}

UdpPort::~UdpPort() {
  if (fd_ >= 0) ::close(fd_);
}

FaultCounters UdpPort::fault_counters() const noexcept {
  return buffers_->stage ? buffers_->stage->counters() : FaultCounters{};
}

void UdpPort::recycle_delivered() noexcept {
  Buffers& b = *buffers_;
  for (std::size_t index = 0; index < b.delivered_count; ++index) {
    b.free_slots[b.free_count++] = b.delivered[index];
  }
  b.delivered_count = 0;
}

std::span<const Datagram> UdpPort::rx() {
  Buffers& b = *buffers_;
  recycle_delivered();
  BL_ASSERT(b.free_count >= kRxBurst);
  std::array<Slot, kRxBurst> slots;
  for (std::size_t index = 0; index < kRxBurst; ++index) {
    const Slot slot = b.free_slots[b.free_count - 1 - index];
    slots[index] = slot;
    b.rx_vectors[index] = {.iov_base = b.rx_data(slot), .iov_len = b.stride};
    msghdr& header = b.rx_headers[index].msg_hdr;
    header = {};
    header.msg_name = &b.rx_addresses[slot];
    header.msg_namelen = sizeof(sockaddr_in);
    header.msg_iov = &b.rx_vectors[index];
    header.msg_iovlen = 1;
  }
  const int received = ::recvmmsg(fd_, b.rx_headers.data(), kRxBurst, MSG_DONTWAIT, nullptr);
  // An error is EAGAIN, EINTR, or an asynchronous one that this call has now cleared.
  const std::size_t count = received > 0 ? static_cast<std::size_t>(received) : 0;
  b.free_count -= count;
  std::size_t kept = 0;
  for (std::size_t index = 0; index < count; ++index) {
    const mmsghdr& header = b.rx_headers[index];
    const Slot slot = slots[index];
    if ((header.msg_hdr.msg_flags & MSG_TRUNC) != 0 || b.rx_addresses[slot].sin_family != AF_INET) {
      tally_.rx_foreign.add(1);
      b.free_slots[b.free_count++] = slot;
      continue;
    }
    b.rx_lengths[slot] = header.msg_len;
    b.delivered[kept++] = slot;
  }
  if (b.stage) kept = b.stage->apply(b.delivered, kept, monotonic_ns(), {&b});
  b.delivered_count = kept;

  std::uint64_t bytes = 0;
  for (std::size_t index = 0; index < kept; ++index) {
    const Slot slot = b.delivered[index];
    const sockaddr_in& from = b.rx_addresses[slot];
    b.datagrams[index] = {.payload = {b.rx_data(slot), b.rx_lengths[slot]},
                          .from = {ntohl(from.sin_addr.s_addr), ntohs(from.sin_port)}};
    bytes += b.rx_lengths[slot];
  }
  if (kept > 0) {
    tally_.rx_packets.add(kept);
    tally_.rx_bytes.add(bytes);
  }
  return {b.datagrams.data(), kept};
}

MutableBytes UdpPort::tx_buffer() {
  Buffers& b = *buffers_;
  if (b.tx_count == kTxSlots) {
    tally_.tx_no_buffer.add(1);
    return {};
  }
  b.tx_open = true;
  return {b.tx_data((b.tx_first + b.tx_count) % kTxSlots), b.stride};
}

void UdpPort::tx_commit(const Endpoint& to, std::uint32_t length) {
  Buffers& b = *buffers_;
  BL_ASSERT(b.tx_open && length <= max_payload_);
  b.tx_open = false;
  const std::size_t slot = (b.tx_first + b.tx_count) % kTxSlots;
  sockaddr_in& address = b.tx_addresses[slot];
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(to.ipv4);
  address.sin_port = htons(to.udp_port);
  b.tx_lengths[slot] = length;
  ++b.tx_count;
}

void UdpPort::drop_front(std::size_t count) noexcept {
  Buffers& b = *buffers_;
  b.tx_first = (b.tx_first + count) % kTxSlots;
  b.tx_count -= count;
}

void UdpPort::flush() {
  Buffers& b = *buffers_;
  if (b.tx_count == 0) return;
  for (std::size_t index = 0; index < b.tx_count; ++index) {
    const std::size_t slot = (b.tx_first + index) % kTxSlots;
    b.tx_vectors[index] = {.iov_base = b.tx_data(slot), .iov_len = b.tx_lengths[slot]};
    msghdr& header = b.tx_headers[index].msg_hdr;
    header = {};
    header.msg_name = &b.tx_addresses[slot];
    header.msg_namelen = sizeof(sockaddr_in);
    header.msg_iov = &b.tx_vectors[index];
    header.msg_iovlen = 1;
  }
  // Ends at the first success or full buffer; a hard error removes one frame each time.
  std::size_t dropped = 0;
  while (b.tx_count > 0) {
    const int result = ::sendmmsg(fd_, b.tx_headers.data() + dropped,
                                  static_cast<unsigned>(b.tx_count), MSG_DONTWAIT);
    if (result > 0) {
      const auto sent = static_cast<std::size_t>(result);
      std::uint64_t bytes = 0;
      for (std::size_t index = 0; index < sent; ++index) {
        bytes += b.tx_headers[dropped + index].msg_len;
      }
      tally_.tx_packets.add(sent);
      tally_.tx_bytes.add(bytes);
      drop_front(sent);
      return;
    }
    // A full socket buffer drains by itself, so the frames wait. Any other error (no route, a
    // message too long for the path) concerns the first frame, which is dropped so that it does not
    // block the others.
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR) return;
    tally_.tx_dropped.add(1);
    drop_front(1);
    ++dropped;
  }
}

}  // namespace binlane

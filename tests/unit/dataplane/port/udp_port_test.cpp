// UdpPort over loopback: both directions, bounds, foreign and faulty datagrams.
#include "dataplane/port/udp_port.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "dataplane/port/any_port.h"
#include "dataplane/port/ethernet.h"

namespace binlane {
namespace {

constexpr std::uint32_t kLoopback = 0x7f000001;
constexpr std::uint64_t kBoundNs = 10 * kNanosPerSecond;

PortConfig config_at(std::uint16_t udp_port, std::uint32_t mtu = kDefaultMtu) {
  PortConfig config;
  config.spec = {PortKind::udp, ""};
  config.local = {kLoopback, udp_port};
  config.mtu = mtu;
  return config;
}

void send(UdpPort& port, const Endpoint& to, std::uint32_t number, std::uint32_t length) {
  const MutableBytes buffer = port.tx_buffer();
  ASSERT_EQ(buffer.size(), port.max_payload());
  std::memset(buffer.data(), static_cast<int>(number & 0xff), length);
  if (length >= sizeof number) std::memcpy(buffer.data(), &number, sizeof number);
  port.tx_commit(to, length);
}

// Receives until `wanted` datagrams came or the bound is over.
template <class OnDatagram>
std::size_t receive(UdpPort& port, std::size_t wanted, OnDatagram on_datagram) {
  std::size_t count = 0;
  const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
  while (count < wanted && monotonic_ns() < end_ns) {
    for (const Datagram& datagram : port.rx()) {
      on_datagram(datagram);
      ++count;
    }
    ::sched_yield();
  }
  return count;
}

TEST(UdpPort, CarriesDatagramsOfEverySizeBothWays) {
  UdpPort a(config_at(0));
  UdpPort b(config_at(0));
  ASSERT_NE(a.local().udp_port, 0);
  ASSERT_EQ(a.max_payload(), 1472U);
  EXPECT_GE(a.rx_capacity(), kRxBurst);
  std::uint32_t number = 0;
  for (std::uint32_t length = 0; length <= a.max_payload(); length += 61, ++number) {
    send(a, b.local(), number, length);
    a.flush();
    Datagram seen;
    std::vector<std::byte> copy;
    ASSERT_EQ(receive(b, 1,
                      [&](const Datagram& datagram) {
                        seen = datagram;
                        copy.assign(datagram.payload.begin(), datagram.payload.end());
                      }),
              1U);
    EXPECT_EQ(seen.from, a.local());
    ASSERT_EQ(copy.size(), length);
    // And the same bytes back.
    const MutableBytes buffer = b.tx_buffer();
    std::copy(copy.begin(), copy.end(), buffer.begin());
    b.tx_commit(seen.from, length);
    b.flush();
    ASSERT_EQ(receive(a, 1,
                      [&](const Datagram& datagram) {
                        EXPECT_TRUE(std::equal(copy.begin(), copy.end(), datagram.payload.begin(),
                                               datagram.payload.end()));
                      }),
              1U);
  }
  EXPECT_EQ(a.counters().tx_packets, number);
  EXPECT_EQ(a.counters().rx_packets, number);
  EXPECT_EQ(a.counters().tx_bytes, b.counters().rx_bytes);
}

TEST(UdpPort, AFullQueueGivesNoBuffer) {
  UdpPort a(config_at(0));
  UdpPort b(config_at(0));
  std::uint32_t queued = 0;
  while (queued < 10'000) {
    if (a.tx_buffer().empty()) break;
    a.tx_commit(b.local(), 100);
    ++queued;
  }
  ASSERT_LT(queued, 10'000U);
  EXPECT_EQ(a.counters().tx_no_buffer, 1U);
  std::uint32_t received = 0;
  const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
  while (received < queued && monotonic_ns() < end_ns) {
    a.flush();
    received += static_cast<std::uint32_t>(b.rx().size());
  }
  EXPECT_EQ(received, queued);
  EXPECT_FALSE(a.tx_buffer().empty());
  a.tx_commit(b.local(), 1);
}

TEST(UdpPort, ABadDestinationHoldsUpNobody) {
  UdpPort a(config_at(0));
  UdpPort b(config_at(0));
  const Endpoint broadcast{0xffffffff, 9};  // EACCES without SO_BROADCAST
  send(a, broadcast, 1, 10);
  send(a, b.local(), 2, 10);
  send(a, broadcast, 3, 10);
  send(a, b.local(), 4, 10);
  for (int turn = 0; turn < 4; ++turn) a.flush();
  EXPECT_EQ(receive(b, 2, [](const Datagram&) {}), 2U);
  EXPECT_EQ(a.counters().tx_dropped, 2U);
  EXPECT_EQ(a.counters().tx_packets, 2U);
}

TEST(UdpPort, TooLongIsForeign) {
  UdpPort large(config_at(0, 3000));
  UdpPort small(config_at(0));
  send(large, small.local(), 1, large.max_payload());
  send(large, small.local(), 2, 8);
  large.flush();
  EXPECT_EQ(receive(small, 1, [](const Datagram& d) { EXPECT_EQ(d.payload.size(), 8U); }), 1U);
  EXPECT_EQ(small.counters().rx_foreign, 1U);
}

TEST(UdpPort, SetsDontFragment) {
  UdpPort port(config_at(0));
  int value = -1;
  socklen_t size = sizeof value;
  ASSERT_EQ(::getsockopt(port.fd(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size), 0);
  EXPECT_EQ(value, IP_PMTUDISC_PROBE);
}

// Anybody can write an ICMP "fragmentation needed" that seems to come from the path (W10).
void send_fragmentation_needed(const Endpoint& from, const Endpoint& to, std::uint16_t mtu) {
  struct {
    std::uint8_t type = 3;  // destination unreachable
    std::uint8_t code = 4;  // fragmentation needed
    be16 checksum{};
    be16 unused{};
    be16 next_mtu{};
    Ipv4Header ip;  // of the datagram that is said not to fit
    UdpHeader udp;
  } icmp;
  static_assert(sizeof icmp == 36);
  icmp.next_mtu = mtu;
  icmp.ip.version_and_words = 0x45;
  icmp.ip.total_length = 1500;
  icmp.ip.fragment = 0x4000;
  icmp.ip.time_to_live = 64;
  icmp.ip.protocol = IPPROTO_UDP;
  icmp.ip.source = from.ipv4;
  icmp.ip.destination = to.ipv4;
  icmp.ip.checksum = internet_checksum(internet_sum(std::as_bytes(std::span(&icmp.ip, 1)), 0));
  icmp.udp.source_port = from.udp_port;
  icmp.udp.destination_port = to.udp_port;
  icmp.udp.length = 1480;
  icmp.checksum = internet_checksum(internet_sum(std::as_bytes(std::span(&icmp, 1)), 0));
  const int fd = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  ASSERT_GE(fd, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(from.ipv4);
  EXPECT_EQ(::sendto(fd, &icmp, sizeof icmp, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address),
            static_cast<ssize_t>(sizeof icmp));
  ::close(fd);
}

void loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  EXPECT_EQ(::ioctl(fd, SIOCSIFFLAGS, &request), 0);
  ::close(fd);
}

// Forges the message until a socket that believes the path's messages has seen it, and returns what
// that socket's own send then says. Once is not enough: the kernel handles such a message later
// than the call that sent it, and drops it where its queue, which all tests of a machine share, is
// full. The believer sends to the discard port of the same address, so that nobody receives what it
// sends.
int error_of_a_believer(const Endpoint& from, const Endpoint& to, std::uint16_t mtu) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int discover = IP_PMTUDISC_DO;
  EXPECT_EQ(::setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(to.ipv4);
  address.sin_port = htons(9);
  const std::vector<std::byte> full(1472);
  int error = 0;
  for (const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
       error == 0 && monotonic_ns() < end_ns; ::sched_yield()) {
    send_fragmentation_needed(from, to, mtu);
    const ssize_t sent = ::sendto(fd, full.data(), full.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&address), sizeof address);
    error = sent < 0 ? errno : 0;
  }
  ::close(fd);
  return error;
}

TEST(UdpPort, AForgedFragmentationNeededStopsNoFullFrame) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace of its own";
  bool skipped = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      skipped = true;
      return;
    }
    loopback_up();
    PortConfig there = config_at(0);
    there.local.ipv4 = kLoopback + 1;
    UdpPort a(config_at(0));
    UdpPort b(there);
    EXPECT_EQ(error_of_a_believer(a.local(), b.local(), 600), EMSGSIZE);
    send(a, b.local(), 1, a.max_payload());
    a.flush();
    EXPECT_EQ(a.counters().tx_dropped, 0U);
    EXPECT_EQ(receive(b, 1, [&](const Datagram& d) { EXPECT_EQ(d.payload.size(), 1472U); }), 1U);
  }).join();
  if (skipped) GTEST_SKIP() << "a network namespace cannot be had here";
}

TEST(UdpPort, AnAddressInUseIsAClearError) {
  UdpPort first(config_at(0));
  try {
    UdpPort second(config_at(first.local().udp_port));
    FAIL() << "two sockets on one address";
  } catch (const StartupError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("127.0.0.1:"), std::string::npos) << text;
    EXPECT_NE(text.find("in use"), std::string::npos) << text;
  }
}

TEST(UdpPort, FaultsAreInjectedAndCounted) {
  PortConfig config = config_at(0);
  config.faults = {.loss = 0.1, .duplicate = 0.1, .reorder = 0.2, .corrupt = 0.1, .seed = 5};
  UdpPort faulty(config);
  UdpPort sender(config_at(0));
  constexpr std::uint32_t kCount = 5000;
  std::uint64_t received = 0;
  std::uint64_t damaged = 0;
  std::set<std::uint32_t> numbers;
  const auto take = [&] {
    for (const Datagram& datagram : faulty.rx()) {
      ++received;
      ASSERT_EQ(datagram.payload.size(), 64U);
      std::uint32_t number;
      std::memcpy(&number, datagram.payload.data(), sizeof number);
      bool whole = number < kCount;
      for (std::size_t index = 4; index < 64; ++index) {
        whole = whole && datagram.payload[index] == static_cast<std::byte>(number & 0xff);
      }
      damaged += whole ? 0 : 1;
      if (whole) numbers.insert(number);
    }
  };
  for (std::uint32_t number = 0; number < kCount; ++number) {
    send(sender, faulty.local(), number, 64);
    sender.flush();
    if (number % 16 == 0) take();
  }
  const auto complete = [&] {
    const FaultCounters counters = faulty.fault_counters();
    return counters.seen == kCount &&
           received == counters.seen - counters.lost + counters.duplicated;
  };
  const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
  while (!complete() && monotonic_ns() < end_ns) take();
  const FaultCounters counters = faulty.fault_counters();
  EXPECT_TRUE(complete()) << counters.seen << " seen, " << received << " received";
  EXPECT_GT(counters.lost, 0U);
  EXPECT_GT(counters.duplicated, 0U);
  EXPECT_GT(counters.reordered, 0U);
  EXPECT_GT(damaged, 0U);
  EXPECT_LT(numbers.size(), kCount);
}

TEST(AnyPort, HoldsAUdpPort) {
  AnyPort port(config_at(0));
  ASSERT_NE(port.udp(), nullptr);
  EXPECT_EQ(port.dpdk(), nullptr);
  EXPECT_TRUE(port.attached());
  AnyPort other(config_at(0));
  ASSERT_FALSE(port.tx_buffer().empty());
  port.tx_commit(other.udp()->local(), 5);
  port.flush();
  EXPECT_EQ(receive(*other.udp(), 1, [](const Datagram&) {}), 1U);
  EXPECT_EQ(port.counters().tx_packets, 1U);
}

}  // namespace
}  // namespace binlane

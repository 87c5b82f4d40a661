// DpdkPort on net_ring devices inside this process, EAL's start, and the attacher's failures:
// without root, NIC or hugepages.
#include "dataplane/port/dpdk_port.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>
#include <sys/file.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <thread>

#include "base/error.h"
#include "dataplane/port/port_attacher.h"
#include "dpdk_test_support.h"

// Counts this thread's allocations while it says so: a lane makes none.
namespace {
thread_local bool counting_allocations = false;
thread_local std::uint64_t allocations = 0;
}  // namespace

// Not inlined: the compiler would see malloc and free at odds with delete and new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting_allocations) ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace binlane {
namespace {

// Two ports joined by a pair of rings: each ring is one direction.
struct RingPair {
  explicit RingPair(unsigned ring_size, const FaultConfig& faults = {}) {
    static int count = 0;
    ++count;
    rte_ring* rings[2];
    for (int index = 0; index < 2; ++index) {
      rings[index] = rte_ring_create(fmt::format("test_ring_{}_{}", count, index).c_str(),
                                     ring_size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
      BL_ASSERT(rings[index] != nullptr);
    }
    PortConfig config_a = config_for("dpdk:ring", kLocal, PortSide::source);
    config_a.faults = faults;
    a = std::make_unique<DpdkPort>(config_a);
    b = std::make_unique<DpdkPort>(config_for("dpdk:ring", kPeer, PortSide::replica));
    attach(*a, fmt::format("ring_a{}", count), rings[0], rings[1]);
    attach(*b, fmt::format("ring_b{}", count), rings[1], rings[0]);
    a_rx = rings[0];
  }

  static void attach(DpdkPort& port, const std::string& name, rte_ring* rx, rte_ring* tx) {
    const int id = rte_eth_from_rings(name.c_str(), &rx, 1, &tx, 1, SOCKET_ID_ANY);
    BL_ASSERT(id >= 0);
    std::string error;
    const bool attached = port.attach(static_cast<std::uint16_t>(id), error);
    EXPECT_TRUE(attached) << error;
    BL_ASSERT(attached);
  }

  void resolve() {
    ASSERT_FALSE(a->tx_buffer().empty());
    a->tx_commit(kPeer, 8);
    EXPECT_EQ(a->counters().tx_unresolved, 1U);
    a->flush();  // the question
    EXPECT_TRUE(b->rx().empty());
    b->flush();  // the answer
    EXPECT_TRUE(a->rx().empty());
  }

  std::unique_ptr<DpdkPort> a, b;
  rte_ring* a_rx = nullptr;
};

void send_to(DpdkPort& port, const Endpoint& to, std::uint32_t length) {
  const MutableBytes buffer = port.tx_buffer();
  ASSERT_EQ(buffer.size(), port.max_payload());
  std::memset(buffer.data(), 0x5a, length);
  port.tx_commit(to, length);
}

TEST(DpdkPortDetached, LetsTheLaneRun) {
  DpdkPort port(config_for("vhost:/nowhere.sock", kLocal, PortSide::source, 9000));
  EXPECT_TRUE(port.rx().empty());
  EXPECT_TRUE(port.tx_buffer().empty());
  port.flush();
  EXPECT_FALSE(port.attached());
  EXPECT_EQ(port.max_payload(), kDefaultMtu - 28);
  EXPECT_EQ(port.counters().tx_no_buffer, 1U);
}

TEST(DpdkPortOnRings, FindsItsPeerByArpAndCarriesDatagrams) {
  RingPair pair(1024);
  pair.resolve();
  for (std::uint32_t length = 0; length <= pair.a->max_payload(); ++length) {
    send_to(*pair.a, kPeer, length);
    pair.a->flush();
    const auto received = pair.b->rx();
    ASSERT_EQ(received.size(), 1U) << length;
    EXPECT_EQ(received[0].from, kLocal);
    ASSERT_EQ(received[0].payload.size(), length);
    for (const std::byte byte : received[0].payload) ASSERT_EQ(byte, std::byte{0x5a});
  }
  // b learned our address from the question, without one of its own.
  send_to(*pair.b, kLocal, 100);
  pair.b->flush();
  EXPECT_EQ(pair.a->rx().size(), 1U);
  EXPECT_EQ(pair.b->counters().tx_unresolved, 0U);
  EXPECT_EQ(pair.b->counters().rx_foreign, 0U);
  EXPECT_EQ(pair.a->counters().tx_bytes, pair.b->counters().rx_bytes);
}

TEST(DpdkPortOnRings, CountsForeignFrames) {
  RingPair pair(1024);
  pair.resolve();
  send_to(*pair.a, {kPeer.ipv4, 9}, 10);  // another UDP port
  send_to(*pair.a, kPeer, 10);
  pair.a->flush();
  EXPECT_EQ(pair.b->rx().size(), 1U);
  EXPECT_EQ(pair.b->counters().rx_foreign, 1U);
}

TEST(DpdkPortOnRings, KeepsAndThenDropsWhatTheWireDoesNotTake) {
  RingPair pair(64);  // of which 63 can be used
  pair.resolve();
  const std::uint64_t before = pair.a->counters().tx_packets;
  for (std::size_t index = 0; index < kTxQueueFrames; ++index) send_to(*pair.a, kPeer, 100);
  EXPECT_TRUE(pair.a->tx_buffer().empty());
  EXPECT_EQ(pair.a->counters().tx_no_buffer, 1U);
  pair.a->flush();
  const std::uint64_t taken = pair.a->counters().tx_packets - before;
  EXPECT_EQ(taken, 63U);
  EXPECT_EQ(pair.a->counters().tx_dropped, kTxQueueFrames - taken - kMaxLeftover);
  // The leftovers go out once there is room …
  EXPECT_EQ(pair.b->rx().size(), kRxBurst);
  pair.a->flush();
  EXPECT_EQ(pair.a->counters().tx_packets - before, taken + kRxBurst);
  // … and are given up when there is none for long.
  const std::uint64_t total = kTxQueueFrames - taken - kRxBurst;
  ASSERT_TRUE(wait_for([&] {
    pair.a->flush();
    return pair.a->counters().tx_dropped == total;
  }));
  EXPECT_EQ(pair.a->counters().tx_packets - before, taken + kRxBurst);
}

TEST(DpdkPortOnRings, AllocatesNothingAndLeaksNothing) {
  RingPair pair(1024);
  pair.resolve();
  EXPECT_TRUE(pair.a->rx().empty() && pair.b->rx().empty());  // gives the last burst back
  const std::uint32_t in_use = pair.a->mbufs_in_use() + pair.b->mbufs_in_use();
  counting_allocations = true;
  allocations = 0;
  std::uint64_t received = 0;
  for (int turn = 0; turn < 20'000; ++turn) {
    for (int packet = 0; packet < 3; ++packet) {
      const MutableBytes buffer = pair.a->tx_buffer();
      if (buffer.empty()) break;
      pair.a->tx_commit(kPeer, 1000);
    }
    pair.a->flush();
    received += pair.b->rx().size();
    pair.b->flush();
    static_cast<void>(pair.a->rx());
  }
  counting_allocations = false;
  EXPECT_EQ(allocations, 0U);
  received += pair.b->rx().size();
  EXPECT_EQ(received, 60'000U);
  EXPECT_TRUE(pair.a->rx().empty() && pair.b->rx().empty());
  EXPECT_EQ(pair.a->mbufs_in_use() + pair.b->mbufs_in_use(), in_use);
}

TEST(DpdkPortOnRings, FaultsAreInjectedAndCounted) {
  RingPair pair(1024, {.loss = 0.1, .duplicate = 0.1, .reorder = 0.2, .corrupt = 0.05, .seed = 2});
  // The question and its answer go through the faults too.
  ASSERT_TRUE(wait_for([&] {
    send_to(*pair.b, kLocal, 8);
    pair.b->flush();
    static_cast<void>(pair.a->rx());
    pair.a->flush();
    static_cast<void>(pair.b->rx());
    return pair.b->counters().tx_packets > 0;
  }));
  std::uint64_t delivered = pair.a->counters().rx_packets;
  for (int turn = 0; turn < 2000; ++turn) {
    for (int packet = 0; packet < 4; ++packet) send_to(*pair.b, kLocal, 300);
    pair.b->flush();
    delivered += pair.a->rx().size();
  }
  ASSERT_TRUE(wait_for([&] {
    delivered += pair.a->rx().size();
    const FaultCounters counters = pair.a->fault_counters();
    const PortCounters port = pair.a->counters();
    return port.rx_packets + port.rx_foreign + 16 >=
               counters.seen - counters.lost + counters.duplicated &&
           delivered == port.rx_packets && rte_ring_empty(pair.a_rx) != 0;
  }));
  const FaultCounters counters = pair.a->fault_counters();
  EXPECT_GE(counters.seen, 8000U);
  EXPECT_NEAR(static_cast<double>(counters.lost), 800, 140);
  EXPECT_GT(counters.duplicated, 500U);
  EXPECT_GT(counters.reordered, 1000U);
  EXPECT_GT(counters.corrupted, 200U);
  // Rings compute no checksum, so the port finds the damage by itself (except the odd one in a byte
  // that no checksum covers).
  EXPECT_GT(pair.a->counters().rx_foreign, counters.corrupted / 2);
}

TEST(Eal, KeepsTheCallersAffinityAndStartsOnce) {
  cpu_set_t allowed;
  ASSERT_EQ(::pthread_getaffinity_np(::pthread_self(), sizeof allowed, &allowed), 0);
  cpu_set_t process;
  CPU_ZERO(&process);
  ASSERT_EQ(::sched_getaffinity(::getppid(), sizeof process, &process), 0);
  EXPECT_TRUE(CPU_EQUAL(&allowed, &process));
  EXPECT_TRUE(eal_running());
  EXPECT_THROW(eal_start({}), StartupError);
  EXPECT_FALSE(std::filesystem::exists(folder + "/run/dpdk"));
  bool registered = false;
  std::thread([&] { registered = EalThread().registered(); }).join();
  EXPECT_TRUE(registered);
}

TEST(Eal, BadArgumentsAreAClearError) {
  Peer peer("vhost:" + folder + "/unused.sock", PortSide::source, kDefaultMtu,
            {"--lcores=no-such-list"});
  EXPECT_EQ(peer.exit_code(), 1);
  EXPECT_NE(peer.log().find("DPDK did not start: "), std::string::npos) << peer.log();
  EXPECT_NE(peer.log().find("lcores"), std::string::npos) << peer.log();
}

TEST(PortAttacher, SaysWhyItFails) {
  DpdkPort port(config_for("vhost:" + folder + "/no/such/folder.sock", kLocal, PortSide::replica));
  PortAttacher attacher(port);
  ASSERT_TRUE(wait_for([&] { return attacher.status().failures >= 2; }));
  EXPECT_EQ(attacher.status().state, PortAttacher::State::plugging);
  EXPECT_NE(attacher.status().last_error.find("No such file"), std::string::npos)
      << attacher.status().last_error;
  DpdkPort unknown(config_for("dpdk:net_no_such_driver0", kLocal, PortSide::source));
  PortAttacher other(unknown);
  ASSERT_TRUE(wait_for([&] { return other.status().failures >= 2; }));
  EXPECT_NE(other.status().last_error.find("net_no_such_driver0"), std::string::npos)
      << other.status().last_error;
}

TEST(PortAttacher, LeavesAnotherProcessesSocketAlone) {
  const std::string path = folder + "/taken.sock";
  const int lock = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  ASSERT_GE(::close(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
  DpdkPort port(config_for("vhost:" + path, kLocal, PortSide::replica));
  PortAttacher attacher(port);
  ASSERT_TRUE(wait_for([&] { return attacher.status().failures >= 1; }));
  EXPECT_NE(attacher.status().last_error.find("in use by another process"), std::string::npos);
  // Once the lock is free: still never removes what is not a socket.
  ::close(lock);
  ASSERT_TRUE(wait_for(
      [&] { return attacher.status().last_error.find("not a socket") != std::string::npos; }));
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace binlane

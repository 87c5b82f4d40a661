// The cold half of DpdkPort: starting a device, and what its link's changes do.
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string_view>

#include "base/assert.h"
#include "base/log.h"
#include "dataplane/port/dpdk_faults.h"
#include "dataplane/port/dpdk_port.h"

namespace binlane {
namespace {

// Twice the packets that a session may have in flight (the 256 of its ACK's bitmap).
constexpr std::uint16_t kDescriptors = 512;
constexpr unsigned kPoolCache = 128;
// net_vhost copies at once and holds no mbufs in rings.
constexpr unsigned kRinglessMbufs = 128;
constexpr std::size_t kMinDataRoom = 2048;
// What some drivers put around the packet in its buffer: two VLAN tags, virtio's own header.
constexpr std::size_t kDriverOverhead = 8 + 12;
constexpr unsigned kQuiescePollUs = 50;
// A lane passes here every few microseconds, or after a sleep; one that does not is parked or
// starved.
constexpr std::uint64_t kQuiesceBoundNs = kNanosPerSecond;
constexpr int kMaxUnregisterTries = 1000;

constexpr std::string_view kVhostDriver = "net_vhost";
constexpr std::string_view kVirtioUserDriver = "net_virtio_user";
constexpr std::string_view kAfXdpDriver = "net_af_xdp";
// AF_XDP fills its own ring of this size, whatever ring sizes it is asked for, and takes as many
// again while it refills it.
constexpr unsigned kAfXdpMbufs = 2 * 2048;

std::string failure(const char* step, int code) {
  return fmt::format("{}: {}", step, rte_strerror(code < 0 ? -code : code));
}

}  // namespace

// Configures one ethdev; a plain sequence of steps, each of which may fail with a reason.
struct DpdkPort::Attacher {
  DpdkPort& port;
  std::uint16_t id;
  std::string& error;
  rte_eth_dev_info info{};
  rte_eth_conf conf{};
  std::uint16_t rx_descriptors = kDescriptors;
  std::uint16_t tx_descriptors = kDescriptors;
  unsigned mbufs_in_device = 0;

  bool check(const char* step, int code) {
    if (code >= 0) return true;
    error = failure(step, code);
    return false;
  }

  bool run() {
    if (!check("reading the device's abilities", rte_eth_dev_info_get(id, &info))) return false;
    const std::string_view driver = info.driver_name;
    port.lane_steps_aside_ = driver == kVirtioUserDriver;
    {
      // DPDK 22.11 starts the one thread that serves all vhost sockets when the first is
      // configured, and checks without a lock whether that thread runs. If two are configured at
      // once each starts a thread, and the two close each other's descriptors and crash.
      static std::mutex one_vhost_at_a_time;
      std::unique_lock lock(one_vhost_at_a_time, std::defer_lock);
      if (driver == kVhostDriver) lock.lock();
      if (!configure()) return false;
    }
    mbufs_in_device = driver == kVhostDriver   ? kRinglessMbufs
                      : driver == kAfXdpDriver ? kAfXdpMbufs
                                               : 0U + rx_descriptors + tx_descriptors;
    return make_pool() && set_up_queues() && choose_mac() && add_callbacks() &&
           check("starting the device", rte_eth_dev_start(id));
  }

  bool configure() {
    int code = 0;
    // Best first; what a device refuses is omitted. Many virtual devices take no larger MTU.
    for (const bool offload : {true, false}) {
      for (const std::uint32_t mtu : {port.config_.mtu, std::min(port.config_.mtu, kDefaultMtu)}) {
        conf = {};
        conf.rxmode.mtu = mtu;
        if (offload) {
          conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
          conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
        }
        conf.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
        code = rte_eth_dev_configure(id, 1, 1, &conf);
        if (code >= 0) {
          return check("choosing ring sizes",
                       rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx_descriptors, &tx_descriptors));
        }
      }
    }
    return check("configuring the device", code);
  }

  bool make_pool() {
    // The lane's cache may hold half as much again as its size, and the attaching thread has none;
    // twice that leaves room for a lane thread that comes after another.
    const unsigned count = mbufs_in_device + static_cast<unsigned>(kTxQueueFrames + 2 * kRxBurst) +
                           static_cast<unsigned>(port.config_.faults.held_max()) + 3 * kPoolCache;
    const std::size_t frame = sizeof(EthernetHeader) + kDriverOverhead + conf.rxmode.mtu;
    const std::size_t room = RTE_PKTMBUF_HEADROOM + std::max(kMinDataRoom, frame);
    BL_ASSERT(room <= UINT16_MAX);
    const std::string name = fmt::format("binlane_port_{}", id);
    // An earlier attempt may have made it with another size.
    rte_mempool_free(port.pool_);
    port.pool_ = rte_pktmbuf_pool_create(name.c_str(), count, kPoolCache, 0,
                                         static_cast<std::uint16_t>(room), SOCKET_ID_ANY);
    if (port.pool_ != nullptr) return true;
    error = fmt::format("{} mbufs of {} bytes do not fit DPDK's memory ({}): raise -m in [eal]",
                        count, room, rte_strerror(rte_errno));
    return false;
  }

  bool set_up_queues() {
    rte_eth_rxconf rx = info.default_rxconf;
    rx.offloads = conf.rxmode.offloads;
    rte_eth_txconf tx = info.default_txconf;
    tx.offloads = conf.txmode.offloads;
    return check("setting up the receive queue",
                 rte_eth_rx_queue_setup(id, 0, rx_descriptors, SOCKET_ID_ANY, &rx, port.pool_)) &&
           check("setting up the transmit queue",
                 rte_eth_tx_queue_setup(id, 0, tx_descriptors, SOCKET_ID_ANY, &tx));
  }

  bool choose_mac() {
    rte_ether_addr address{};
    if (rte_eth_macaddr_get(id, &address) == 0) {
      std::copy_n(address.addr_bytes, port.local_mac_.bytes.size(), port.local_mac_.bytes.begin());
    }
    if (!port.local_mac_.is_unicast()) {
      port.local_mac_ = mac_from_ipv4(port.config_.local.ipv4);
      std::copy_n(port.local_mac_.bytes.begin(), port.local_mac_.bytes.size(), address.addr_bytes);
      // A device without an address mostly filters by none either.
      static_cast<void>(rte_eth_dev_default_mac_addr_set(id, &address));
    }
    port.arp_ = ArpTable(port.local_mac_, port.config_.local.ipv4);
    for (const Neighbour& neighbour : port.config_.neighbours) {
      if (port.arp_.add_static(neighbour.ipv4, neighbour.mac)) continue;
      error = fmt::format("more than {} static ARP entries", kArpMaxEntries);
      return false;
    }
    return true;
  }

  static int on_link_event(std::uint16_t id, rte_eth_event_type, void* self, void*) {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(id, &link) == 0) {
      static_cast<DpdkPort*>(self)->on_link_change(link.link_status == RTE_ETH_LINK_UP);
    }
    return 0;
  }

  bool add_callbacks() {
    port.port_id_ = id;
    if (conf.intr_conf.lsc != 0 && !port.listening_) {
      if (!check("listening to the link",
                 rte_eth_dev_callback_register(id, RTE_ETH_EVENT_INTR_LSC, on_link_event, &port))) {
        return false;
      }
      port.listening_ = true;
    }
    if (port.faults_ == nullptr) return true;
    port.faults_->pool = port.pool_;
    if (port.faults_->callback != nullptr) return true;
    port.faults_->callback = rte_eth_add_rx_callback(id, 0, Faults::on_receive, port.faults_.get());
    return check("adding the fault callback", port.faults_->callback != nullptr ? 0 : -rte_errno);
  }

  void publish() {
    port.udp_offload_ = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
    port.max_payload_.store(conf.rxmode.mtu - static_cast<std::uint32_t>(kUdpIpHeaderSize),
                            std::memory_order_relaxed);
    port.rx_capacity_.store(rx_descriptors, std::memory_order_relaxed);
    rte_eth_link link{};
    const std::lock_guard lock(port.link_mutex_);
    // With an interrupt this reads what the driver last knew; the callback reports what follows.
    const bool known = rte_eth_link_get_nowait(id, &link) == 0;
    const bool up = !known || link.link_status == RTE_ETH_LINK_UP;
    port.link_up_.store(up, std::memory_order_relaxed);
    port.attached_.store(true, std::memory_order_release);
    if (up || !port.lane_steps_aside_) port.open_.store(true, std::memory_order_release);
  }
};

DpdkPort::DpdkPort(const PortConfig& config)
    : max_payload_(std::min(config.mtu, kDefaultMtu) -
                   static_cast<std::uint32_t>(kUdpIpHeaderSize)),
      config_(config) {
  BL_ASSERT(config.mtu >= kMinMtu && config.mtu <= kMaxMtu);
  if (config.faults.any()) faults_ = std::make_unique<Faults>(faults_of(config));
}

DpdkPort::~DpdkPort() {
  open_.store(false, std::memory_order_release);
  lane_out_.store(true, std::memory_order_release);  // a callback need not wait: the lane has left
  if (listening_) {
    // -EAGAIN while the callback runs.
    for (int tries = 0; tries < kMaxUnregisterTries; ++tries) {
      if (rte_eth_dev_callback_unregister(port_id_, RTE_ETH_EVENT_INTR_LSC, Attacher::on_link_event,
                                          this) != -EAGAIN) {
        break;
      }
      ::usleep(kQuiescePollUs);
    }
    const std::lock_guard last_call_is_over(link_mutex_);
  }
  if (faults_ != nullptr && faults_->callback != nullptr) {
    rte_eth_remove_rx_callback(port_id_, 0, faults_->callback);
    faults_->stage.clear({pool_});
  }
  if (open_tx_ != nullptr) rte_pktmbuf_free(open_tx_);
  free_received();
  drop_queued(0);
  // The device keeps holding mbufs, so the pool remains.
}

bool DpdkPort::attach(std::uint16_t port_id, std::string& error) {
  BL_ASSERT(!attached());
  Attacher attacher{.port = *this, .id = port_id, .error = error};
  if (!attacher.run()) return false;
  attacher.publish();
  return true;
}

// On EAL's interrupt thread, before the driver continues: for a virtio-user server "down" comes
// before the reset of its rings, and "up" after it.
void DpdkPort::on_link_change(bool up) noexcept {
  const std::lock_guard lock(link_mutex_);
  const bool was_up = link_up_.exchange(up, std::memory_order_relaxed);
  if (was_up && !up) link_downs_.add(1);
  if (was_up != up) {
    log::info("port.link", "{}: link {}", config_.spec.argument, up ? "up" : "down");
  }
  if (!attached() || !lane_steps_aside_) return;
  if (up) {
    open_.store(true, std::memory_order_release);
    return;
  }
  if (!open_.load(std::memory_order_relaxed)) return;
  lane_out_.store(false, std::memory_order_relaxed);
  open_.store(false, std::memory_order_release);
  const std::uint64_t end_ns = monotonic_ns() + kQuiesceBoundNs;
  while (!lane_out_.load(std::memory_order_acquire)) {
    if (monotonic_ns() > end_ns) {
      quiesce_timeouts_.add(1);
      return;
    }
    ::usleep(kQuiescePollUs);
  }
}

FaultCounters DpdkPort::fault_counters() const noexcept {
  return faults_ != nullptr ? faults_->stage.counters() : FaultCounters{};
}

std::uint32_t DpdkPort::mbufs_in_use() const noexcept {
  return attached() ? rte_mempool_in_use_count(pool_) : 0;
}

}  // namespace binlane

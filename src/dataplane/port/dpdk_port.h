// DpdkPort: the Port over one DPDK ethdev with one receive and one transmit queue.
//
// It is constructed detached, because a vhost-user server exists only once its peer connects. Until
// attach() the lane runs, receives nothing and gets no transmit buffers. attach() is called once,
// by the attacher's thread. It does everything that allocates or blocks, and publishes the port
// with one atomic store. From then on the lane's thread owns the device's queues.
//
// Invariants: no received mbuf outlives the next rx(); every mbuf not taken by the device is ours
// and remains queued within kMaxLeftover, or is dropped and counted; flush() is one burst. The
// device is never closed: net_virtio_user panics at close after a reconnect, so a process that has
// used one ends by _exit() (eal.h).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/port/arp.h"
#include "dataplane/port/port_config.h"
#include "dataplane/port/port_counters.h"

struct rte_mbuf;
struct rte_mempool;

namespace binlane {

// Frames that wait for one flush(); tx_buffer() gives no more than these.
inline constexpr std::size_t kTxQueueFrames = 512;
// How many of them may remain when the device takes none …
inline constexpr std::size_t kMaxLeftover = 256;
// … and for how long: retransmissions have overtaken them by then.
inline constexpr std::uint64_t kMaxLeftoverNs = 50 * kNanosPerMilli;
static_assert(kMaxLeftover <= kTxQueueFrames);

class DpdkPort {
 public:
  explicit DpdkPort(const PortConfig& config);
  // Only after the lane has stopped, and never while attach() runs.
  ~DpdkPort();
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;

  // The lane.
  std::span<const Datagram> rx();
  MutableBytes tx_buffer();
  void tx_commit(const Endpoint& to, std::uint32_t length);
  void flush();
  // May grow once, if attach() got a larger MTU: sample it at the start of a session.
  std::uint32_t max_payload() const noexcept {
    return max_payload_.load(std::memory_order_relaxed);
  }

  // The attacher. Configures and starts ethdev `port_id`. After a failure it returns false, says
  // why in `error`, and may be called again.
  bool attach(std::uint16_t port_id, std::string& error);

  // Any thread.
  bool attached() const noexcept { return attached_.load(std::memory_order_acquire); }
  bool link_up() const noexcept { return link_up_.load(std::memory_order_relaxed); }
  // Datagrams that certainly fit between two calls of rx(); 0 until attached.
  std::uint32_t rx_capacity() const noexcept {
    return rx_capacity_.load(std::memory_order_relaxed);
  }
  PortCounters counters() const noexcept {
    PortCounters counters = tally_.snapshot();
    counters.link_downs = link_downs_.get();
    counters.quiesce_timeouts = quiesce_timeouts_.get();
    return counters;
  }
  FaultCounters fault_counters() const noexcept;
  // Mbufs in use; for leak tests.
  std::uint32_t mbufs_in_use() const noexcept;

  const PortConfig& config() const noexcept { return config_; }

 private:
  struct Faults;
  struct Attacher;  // the steps of attach(), in dpdk_port_attach.cpp
  friend struct Attacher;

  bool lane_may_enter() noexcept;
  void free_received() noexcept;
  void drop_queued(std::size_t from) noexcept;
  void prepare_queued() noexcept;
  void remove_front_of(std::size_t at, std::size_t count) noexcept;
  void send_arp(std::uint64_t now_ns) noexcept;
  bool accept(rte_mbuf* mbuf, Datagram& datagram) noexcept;
  void on_link_change(bool up) noexcept;

  // Hot: the lane's.
  std::atomic<bool> open_{false};     // the lane may use the device
  std::atomic<bool> lane_out_{true};  // the lane has seen that it must not
  std::uint16_t port_id_ = 0;
  bool udp_offload_ = false;
  rte_mempool* pool_ = nullptr;
  rte_mbuf* open_tx_ = nullptr;  // given out by tx_buffer(), not yet committed
  std::size_t queued_ = 0;
  std::size_t prepared_ = 0;  // of those, already through tx_prepare
  std::size_t received_ = 0;
  std::size_t turns_ = 0;
  std::uint64_t leftover_since_ns_ = 0;
  std::array<rte_mbuf*, kTxQueueFrames> tx_queue_{};
  std::array<std::uint32_t, kTxQueueFrames> tx_lengths_{};  // payload bytes of each
  std::array<rte_mbuf*, kRxBurst> rx_mbufs_{};
  std::array<Datagram, kRxBurst> datagrams_{};
  MacAddress local_mac_;
  ArpTable arp_;
  PortTally tally_;

  // Cold.
  std::atomic<bool> attached_{false};
  std::atomic<bool> link_up_{false};
  std::atomic<std::uint32_t> max_payload_{0};
  std::atomic<std::uint32_t> rx_capacity_{0};
  SharedCounter link_downs_, quiesce_timeouts_;  // written under link_mutex_
  bool lane_steps_aside_ = false;                // the driver resets rings when its link comes back
  bool listening_ = false;                       // our link callback is registered
  std::mutex link_mutex_;  // between attach() and the link callback; never the lane
  PortConfig config_;
  std::unique_ptr<Faults> faults_;
};

static_assert(Port<DpdkPort>);

}  // namespace binlane

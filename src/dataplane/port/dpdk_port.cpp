#include "dataplane/port/dpdk_port.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/assert.h"
#include "dataplane/port/dpdk_faults.h"

namespace binlane {
namespace {

// How often a lane checks for ARP entries to refresh; urgent ARP work is noticed at once.
constexpr std::size_t kArpPollTurns = 4096;
// Marks, in the queue's lengths, a frame that is not a datagram.
constexpr std::uint32_t kNotDatagram = 0xffffffff;

MutableBytes frame_of(rte_mbuf* mbuf, std::size_t length) {
  return {rte_pktmbuf_mtod(mbuf, std::byte*), length};
}

}  // namespace

// Called before anything of the device is touched. While a virtio-user server takes a new peer, its
// driver resets the rings that the lane is using, and allows the lane one millisecond to leave. So
// the lane is told not to enter, and confirms when it has left (on_link_change waits for that).
bool DpdkPort::lane_may_enter() noexcept {
  if (open_.load(std::memory_order_acquire)) [[likely]]
    return true;
  if (!lane_out_.load(std::memory_order_relaxed)) lane_out_.store(true, std::memory_order_release);
  return false;
}

void DpdkPort::free_received() noexcept {
  if (received_ == 0) return;
  rte_pktmbuf_free_bulk(rx_mbufs_.data(), static_cast<unsigned>(received_));
  received_ = 0;
}

std::span<const Datagram> DpdkPort::rx() {
  free_received();
  if (!lane_may_enter()) return {};
  received_ = rte_eth_rx_burst(port_id_, 0, rx_mbufs_.data(), kRxBurst);
  std::size_t accepted = 0;
  std::uint64_t bytes = 0;
  for (std::size_t index = 0; index < received_; ++index) {
    if (accept(rx_mbufs_[index], datagrams_[accepted])) {
      bytes += datagrams_[accepted].payload.size();
      ++accepted;
    }
  }
  if (accepted > 0) {
    tally_.rx_packets.add(accepted);
    tally_.rx_bytes.add(bytes);
  }
  return {datagrams_.data(), accepted};
}

bool DpdkPort::accept(rte_mbuf* mbuf, Datagram& datagram) noexcept {
  const std::uint64_t device_says = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (mbuf->nb_segs != 1 || device_says == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
    tally_.rx_foreign.add(1);
    return false;
  }
  // "None" means: not computed, but known to be whole (a vhost-user peer's memory).
  const bool verify = device_says == RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
  const ConstBytes frame = frame_of(mbuf, mbuf->data_len);
  UdpFrame udp;
  const FrameVerdict verdict = parse_udp(frame, verify, udp);
  if (verdict == FrameVerdict::udp && udp.destination == config_.local) [[likely]] {
    datagram = {.payload = udp.payload, .from = udp.source};
    return true;
  }
  if (verdict != FrameVerdict::not_ipv4 || !arp_.on_frame(frame, monotonic_ns())) {
    tally_.rx_foreign.add(1);
  }
  return false;
}

MutableBytes DpdkPort::tx_buffer() {
  if (!lane_may_enter() || queued_ == kTxQueueFrames) {
    tally_.tx_no_buffer.add(1);
    return {};
  }
  if (open_tx_ == nullptr) open_tx_ = rte_pktmbuf_alloc(pool_);
  if (open_tx_ == nullptr) {
    tally_.tx_no_buffer.add(1);
    return {};
  }
  const std::uint32_t payload = max_payload();
  BL_ASSERT(rte_pktmbuf_tailroom(open_tx_) >= kFrameHeaderSize + payload);
  return frame_of(open_tx_, kFrameHeaderSize + payload).subspan(kFrameHeaderSize);
}

void DpdkPort::tx_commit(const Endpoint& to, std::uint32_t length) {
  BL_ASSERT(open_tx_ != nullptr && length <= max_payload() && queued_ < kTxQueueFrames);
  rte_mbuf* mbuf = std::exchange(open_tx_, nullptr);
  const MacAddress* mac = arp_.resolve(to.ipv4);
  if (mac == nullptr) {
    tally_.tx_unresolved.add(1);
    rte_pktmbuf_free(mbuf);
    return;
  }
  const std::size_t frame_length = kFrameHeaderSize + length;
  mbuf->data_len = static_cast<std::uint16_t>(frame_length);
  mbuf->pkt_len = static_cast<std::uint32_t>(frame_length);
  write_udp_headers(frame_of(mbuf, frame_length), local_mac_, *mac, config_.local, to,
                    udp_offload_ ? UdpChecksum::offload : UdpChecksum::software);
  if (udp_offload_) {
    mbuf->l2_len = sizeof(EthernetHeader);
    mbuf->l3_len = sizeof(Ipv4Header);
    mbuf->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
  }
  tx_lengths_[queued_] = length;
  tx_queue_[queued_++] = mbuf;
}

// Frames [from, queued_) are dropped.
void DpdkPort::drop_queued(std::size_t from) noexcept {
  for (std::size_t index = from; index < queued_; ++index) {
    rte_pktmbuf_free(tx_queue_[index]);
    if (tx_lengths_[index] != kNotDatagram) tally_.tx_dropped.add(1);
  }
  queued_ = std::min(queued_, from);
  prepared_ = std::min(prepared_, queued_);
}

void DpdkPort::send_arp(std::uint64_t now_ns) noexcept {
  while (queued_ < kTxQueueFrames) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) return;
    const std::size_t length = arp_.poll(now_ns, frame_of(mbuf, kArpFrameSize));
    if (length == 0) {
      rte_pktmbuf_free(mbuf);
      return;
    }
    mbuf->data_len = static_cast<std::uint16_t>(length);
    mbuf->pkt_len = static_cast<std::uint32_t>(length);
    tx_lengths_[queued_] = kNotDatagram;
    tx_queue_[queued_++] = mbuf;
  }
}

// Some devices must be shown the frames whose checksum they are to compute.
void DpdkPort::prepare_queued() noexcept {
  while (prepared_ < queued_) {
    const auto wanted = static_cast<std::uint16_t>(queued_ - prepared_);
    prepared_ += rte_eth_tx_prepare(port_id_, 0, tx_queue_.data() + prepared_, wanted);
    if (prepared_ == queued_) return;
    // The device refuses this one for good.
    rte_pktmbuf_free(tx_queue_[prepared_]);
    if (tx_lengths_[prepared_] != kNotDatagram) tally_.tx_dropped.add(1);
    remove_front_of(prepared_, 1);
  }
}

// Removes `count` frames at `at` from the queue; they are no longer ours.
void DpdkPort::remove_front_of(std::size_t at, std::size_t count) noexcept {
  BL_ASSERT(at + count <= queued_);
  std::copy(tx_queue_.begin() + static_cast<std::ptrdiff_t>(at + count),
            tx_queue_.begin() + static_cast<std::ptrdiff_t>(queued_),
            tx_queue_.begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(tx_lengths_.begin() + static_cast<std::ptrdiff_t>(at + count),
            tx_lengths_.begin() + static_cast<std::ptrdiff_t>(queued_),
            tx_lengths_.begin() + static_cast<std::ptrdiff_t>(at));
  queued_ -= count;
}

void DpdkPort::flush() {
  if (!lane_may_enter()) {
    drop_queued(0);
    return;
  }
  ++turns_;
  if (arp_.wants_poll() || turns_ % kArpPollTurns == 0) send_arp(monotonic_ns());
  if (queued_ == 0) return;
  if (udp_offload_) prepare_queued();

  const std::size_t sent =
      rte_eth_tx_burst(port_id_, 0, tx_queue_.data(), static_cast<std::uint16_t>(queued_));
  BL_ASSERT(sent <= queued_);
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  for (std::size_t index = 0; index < sent; ++index) {
    if (tx_lengths_[index] == kNotDatagram) continue;
    ++packets;
    bytes += tx_lengths_[index];
  }
  if (packets > 0) {
    tally_.tx_packets.add(packets);
    tally_.tx_bytes.add(bytes);
  }
  prepared_ -= std::min(prepared_, sent);
  remove_front_of(0, sent);
  if (queued_ == 0) {
    leftover_since_ns_ = 0;
    return;
  }
  if (queued_ > kMaxLeftover) drop_queued(kMaxLeftover);
  const std::uint64_t now_ns = monotonic_ns();
  if (sent > 0 || leftover_since_ns_ == 0) {
    leftover_since_ns_ = now_ns;
  } else if (now_ns - leftover_since_ns_ > kMaxLeftoverNs) {
    drop_queued(0);
    leftover_since_ns_ = 0;
  }
}

}  // namespace binlane

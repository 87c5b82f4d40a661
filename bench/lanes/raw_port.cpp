#include "lanes/raw_port.h"

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <array>

#include "base/error.h"
#include "dataplane/port/port.h"

namespace binlane::bench {
namespace {

// IEEE's EtherType for experiments: a Binlane port counts it as foreign, should one be left over.
constexpr std::uint16_t kEtherType = 0x88b5;

bool fill(rte_mbuf* mbuf, std::uint32_t bytes) noexcept {
  char* const data = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(bytes));
  if (data == nullptr || bytes < sizeof(rte_ether_hdr)) return false;
  auto* const header = reinterpret_cast<rte_ether_hdr*>(data);
  *header = {};
  header->dst_addr.addr_bytes[0] = 0x02;
  header->src_addr.addr_bytes[0] = 0x06;
  header->ether_type = rte_cpu_to_be_16(kEtherType);
  return true;
}

}  // namespace

RawPort::RawPort() {
  if (rte_eth_dev_count_avail() != 1) throw StartupError("the raw baseline wants one DPDK port");
  RTE_ETH_FOREACH_DEV(port_) {
    break;
  }
  pool_ = rte_mempool_lookup(fmt::format("binlane_port_{}", port_).c_str());
  if (pool_ == nullptr) throw StartupError("the port's mbuf pool is not there");
}

bool RawPort::send(std::uint32_t bytes) noexcept {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return false;
  if (fill(mbuf, bytes) && rte_eth_tx_burst(port_, 0, &mbuf, 1) == 1) return true;
  rte_pktmbuf_free(mbuf);
  return false;
}

std::uint32_t RawPort::send_burst(std::uint32_t bytes) noexcept {
  std::array<rte_mbuf*, kRxBurst> mbufs{};
  std::uint16_t count = 0;
  for (; count < mbufs.size(); ++count) {
    mbufs[count] = rte_pktmbuf_alloc(pool_);
    if (mbufs[count] == nullptr) break;
    fill(mbufs[count], bytes);
  }
  const std::uint16_t sent = rte_eth_tx_burst(port_, 0, mbufs.data(), count);
  for (std::uint16_t i = sent; i < count; ++i) rte_pktmbuf_free(mbufs[i]);
  return sent;
}

std::uint32_t RawPort::receive() noexcept {
  std::array<rte_mbuf*, kRxBurst> mbufs{};
  const std::uint16_t count =
      rte_eth_rx_burst(port_, 0, mbufs.data(), static_cast<std::uint16_t>(mbufs.size()));
  std::uint32_t own = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    const auto* const header = rte_pktmbuf_mtod(mbufs[i], const rte_ether_hdr*);
    if (rte_pktmbuf_data_len(mbufs[i]) >= sizeof *header &&
        header->ether_type == rte_cpu_to_be_16(kEtherType))
      ++own;
    rte_pktmbuf_free(mbufs[i]);
  }
  return own;
}

}  // namespace binlane::bench

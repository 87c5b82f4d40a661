// The fault stage of a DpdkPort: a DPDK receive callback over FaultStage. Private to DpdkPort; the
// lane runs it, inside its rx_burst.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/port/dpdk_port.h"
#include "dataplane/port/ethernet.h"

struct rte_eth_rxtx_callback;

namespace binlane {

struct DpdkPort::Faults {
  struct MbufOps {
    rte_mempool* pool;

    void drop(rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); }
    bool copy(rte_mbuf* from, rte_mbuf*& to) {
      to = rte_pktmbuf_copy(from, pool, 0, UINT32_MAX);
      return to != nullptr;
    }
    void corrupt(rte_mbuf* mbuf, std::uint32_t random) {
      // After the Ethernet header, which a real wire's own check covers.
      if (mbuf->data_len <= sizeof(EthernetHeader)) return;
      const std::uint32_t offset =
          sizeof(EthernetHeader) + random % (mbuf->data_len - sizeof(EthernetHeader));
      *rte_pktmbuf_mtod_offset(mbuf, std::byte*, offset) ^= std::byte{1} << (random >> 29);
    }
  };

  explicit Faults(const FaultConfig& config) : stage(config) {}

  static std::uint16_t on_receive(std::uint16_t, std::uint16_t, rte_mbuf** mbufs,
                                  std::uint16_t count, std::uint16_t room, void* self) {
    auto& faults = *static_cast<Faults*>(self);
    return static_cast<std::uint16_t>(
        faults.stage.apply({mbufs, room}, count, monotonic_ns(), {faults.pool}));
  }

  FaultStage<rte_mbuf*, MbufOps> stage;
  rte_mempool* pool = nullptr;
  const rte_eth_rxtx_callback* callback = nullptr;
};

}  // namespace binlane

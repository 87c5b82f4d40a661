// RawPort: DPDK bursts on the ethdev that a DpdkPort has set up, without anything of Binlane: the
// limit that its round trip is measured against. Only while no lane uses the port.
#pragma once

#include <cstdint>

struct rte_mempool;

namespace binlane::bench {

class RawPort {
 public:
  // The process's only DPDK port, attached. Throws StartupError.
  RawPort();

  // One Ethernet frame of `bytes`; false when the device takes none now.
  bool send(std::uint32_t bytes) noexcept;
  // How many frames of this kind have arrived since the last call; frees everything.
  std::uint32_t receive() noexcept;
  // As many frames as the device takes now, at most a burst; returns how many.
  std::uint32_t send_burst(std::uint32_t bytes) noexcept;

 private:
  std::uint16_t port_ = 0;
  rte_mempool* pool_ = nullptr;
};

}  // namespace binlane::bench

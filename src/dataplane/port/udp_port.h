// UdpPort: the Port over a non-blocking kernel UDP socket. It sends the same datagrams as a DPDK
// port, for hosts without DPDK and as the honest baseline of every measurement.
//
// System calls in the lane: recvmmsg in rx(), sendmmsg in flush() if something is queued. All
// buffers are allocated in the constructor. The lane's thread owns it; any thread may read the
// counters.
#pragma once

#include <memory>

#include "dataplane/port/port_config.h"
#include "dataplane/port/port_counters.h"

namespace binlane {

class UdpPort {
 public:
  // Opens and binds the socket; throws StartupError with the reason.
  explicit UdpPort(const PortConfig& config);
  ~UdpPort();
  UdpPort(const UdpPort&) = delete;
  UdpPort& operator=(const UdpPort&) = delete;

  std::span<const Datagram> rx();
  MutableBytes tx_buffer();
  void tx_commit(const Endpoint& to, std::uint32_t length);
  void flush();
  std::uint32_t max_payload() const noexcept { return max_payload_; }

  // Datagrams that certainly fit between two calls of rx().
  std::uint32_t rx_capacity() const noexcept { return rx_capacity_; }
  // For a lane that waits in poll or io_uring; readable when a datagram has arrived.
  int fd() const noexcept { return fd_; }
  // As bound: has the port number if the configuration said 0.
  Endpoint local() const noexcept { return local_; }

  PortCounters counters() const noexcept { return tally_.snapshot(); }
  FaultCounters fault_counters() const noexcept;

 private:
  struct Buffers;

  void recycle_delivered() noexcept;
  void drop_front(std::size_t count) noexcept;

  int fd_ = -1;
  std::uint32_t max_payload_ = 0;
  std::uint32_t rx_capacity_ = 0;
  Endpoint local_;
  std::unique_ptr<Buffers> buffers_;
  PortTally tally_;
};

static_assert(Port<UdpPort>);

}  // namespace binlane

// AnyPort: a port of the kind that its configuration names. A branch per call, no virtual call, so
// that one lane's duty cycle, a template over Port, can own ports of different kinds.
#pragma once

#include <memory>
#include <variant>

#include "dataplane/port/dpdk_port.h"
#include "dataplane/port/udp_port.h"

namespace binlane {

class AnyPort {
 public:
  // Opens a UDP socket here (throws StartupError if it cannot). A DPDK port starts detached and
  // waits for its PortAttacher.
  explicit AnyPort(const PortConfig& config) {
    if (config.spec.kind == PortKind::udp) {
      port_.emplace<UdpPort>(config);
    } else {
      port_.emplace<DpdkPort>(config);
    }
  }

  std::span<const Datagram> rx() {
    if (auto* port = std::get_if<DpdkPort>(&port_)) return port->rx();
    return std::get<UdpPort>(port_).rx();
  }
  MutableBytes tx_buffer() {
    if (auto* port = std::get_if<DpdkPort>(&port_)) return port->tx_buffer();
    return std::get<UdpPort>(port_).tx_buffer();
  }
  void tx_commit(const Endpoint& to, std::uint32_t length) {
    if (auto* port = std::get_if<DpdkPort>(&port_)) return port->tx_commit(to, length);
    return std::get<UdpPort>(port_).tx_commit(to, length);
  }
  void flush() {
    if (auto* port = std::get_if<DpdkPort>(&port_)) return port->flush();
    return std::get<UdpPort>(port_).flush();
  }
  std::uint32_t max_payload() const noexcept {
    if (const auto* port = std::get_if<DpdkPort>(&port_)) return port->max_payload();
    return std::get<UdpPort>(port_).max_payload();
  }

  // Any thread.
  bool attached() const noexcept {
    const auto* port = std::get_if<DpdkPort>(&port_);
    return port == nullptr || port->attached();
  }
  std::uint32_t rx_capacity() const noexcept {
    if (const auto* port = std::get_if<DpdkPort>(&port_)) return port->rx_capacity();
    return std::get<UdpPort>(port_).rx_capacity();
  }
  PortCounters counters() const noexcept {
    if (const auto* port = std::get_if<DpdkPort>(&port_)) return port->counters();
    return std::get<UdpPort>(port_).counters();
  }
  FaultCounters fault_counters() const noexcept {
    if (const auto* port = std::get_if<DpdkPort>(&port_)) return port->fault_counters();
    return std::get<UdpPort>(port_).fault_counters();
  }
  // nullptr if the port is of the other kind.
  DpdkPort* dpdk() noexcept { return std::get_if<DpdkPort>(&port_); }
  UdpPort* udp() noexcept { return std::get_if<UdpPort>(&port_); }

 private:
  std::variant<std::monostate, DpdkPort, UdpPort> port_;
};

static_assert(Port<AnyPort>);

}  // namespace binlane

// PortConfig: how one port is configured, and the three forms a `port = "…"` string takes.
//
//   vhost:/path.sock   a vhost-user link to one peer on this machine (no root, no hugepages)
//   dpdk:<devargs>     any DPDK device: "0000:01:00.0", "net_af_packet0,iface=veth0", …
//   udp                a kernel UDP socket
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/port/ethernet.h"
#include "dataplane/port/fault_injector.h"
#include "dataplane/port/port.h"

namespace binlane {

enum class PortKind : std::uint8_t { vhost, dpdk, udp };

struct PortSpec {
  PortKind kind = PortKind::udp;
  std::string argument;  // the socket's path, or the devargs; empty for udp

  // The device is found on the PCI bus (its devargs start with a PCI address), so EAL must scan it.
  bool on_pci() const;

  bool operator==(const PortSpec&) const = default;
};

// Throws StartupError with the accepted forms if `text` is none of them.
PortSpec parse_port_spec(std::string_view text);

// Which end of a vhost-user link this process is. The replica's socket is the server: it exists as
// long as the replica runs, and any incarnation of the source connects to it.
enum class PortSide : std::uint8_t { source, replica };

inline constexpr std::uint32_t kDefaultMtu = 1500;
inline constexpr std::uint32_t kMinMtu = 576;
inline constexpr std::uint32_t kMaxMtu = 9600;

// A host on the link whose MAC address is configured, so that nobody can claim its address.
struct Neighbour {
  std::uint32_t ipv4 = 0;
  MacAddress mac;
};

struct PortConfig {
  PortSpec spec;
  Endpoint local;
  PortSide side = PortSide::source;
  // The MTU to ask for; a port that does not take more than kDefaultMtu falls back to that.
  std::uint32_t mtu = kDefaultMtu;
  FaultConfig faults;
  std::vector<Neighbour> neighbours;  // DPDK ports only
};

// The port's faults, with its address mixed into the seed: two ports of one configuration must not
// lose the same packets.
FaultConfig faults_of(const PortConfig& config) noexcept;

}  // namespace binlane

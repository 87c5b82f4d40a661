#include "control/config/port_conflict.h"

#include <fmt/format.h>

#include <string_view>

#include "control/config/config_value.h"

namespace binlane {
namespace {

constexpr std::string_view kAfPacket = "net_af_packet";
constexpr std::string_view kInterface = "iface=";

// "0000:01:00.0,mac=…" → "0000:01:00.0"
std::string_view device_of(std::string_view devargs) {
  return devargs.substr(0, devargs.find(','));
}

// The kernel interface that an af_packet device is bound to; empty if it is no such device.
std::string_view packet_interface(const PortSpec& port) {
  const std::string_view devargs = port.argument;
  if (port.kind != PortKind::dpdk || !devargs.starts_with(kAfPacket)) return {};
  for (std::size_t at = devargs.find(','); at != std::string_view::npos;) {
    const std::string_view rest = devargs.substr(at + 1);
    if (rest.starts_with(kInterface)) return device_of(rest.substr(kInterface.size()));
    const std::size_t next = rest.find(',');
    at = next == std::string_view::npos ? next : at + 1 + next;
  }
  return {};
}

}  // namespace

std::string port_conflict(const PortUse& first, const PortUse& second) {
  if (first.port.kind != second.port.kind) return {};
  switch (first.port.kind) {
    case PortKind::udp:
      if (first.local != second.local) return {};
      return fmt::format("{} is already used: use another port number",
                         endpoint_text(second.local));
    case PortKind::vhost:
      if (first.port.argument != second.port.argument) return {};
      return fmt::format("the socket {} is already used: use another one", second.port.argument);
    case PortKind::dpdk:
      break;
  }
  const std::string_view device = device_of(second.port.argument);
  if (device_of(first.port.argument) == device)
    return fmt::format(
        "the device {} is already used, and a device carries one port: use another device or "
        "virtual function",
        device);
  const std::string_view interface = packet_interface(second.port);
  if (!interface.empty() && packet_interface(first.port) == interface)
    return fmt::format(
        "another af_packet device is already bound to {}; the kernel would distribute its packets "
        "between the two: use another interface",
        interface);
  return {};
}

}  // namespace binlane

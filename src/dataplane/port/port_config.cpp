#include "dataplane/port/port_config.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace binlane {
namespace {

constexpr std::string_view kVhostPrefix = "vhost:";
constexpr std::string_view kDpdkPrefix = "dpdk:";
constexpr std::string_view kUdp = "udp";
constexpr std::string_view kForms =
    "a port is \"vhost:/path/of.sock\", \"dpdk:<devargs>\" or \"udp\"";
// sun_path must hold the path and its end.
constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

bool hex_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isxdigit(c) != 0; });
}

}  // namespace

bool PortSpec::on_pci() const {
  if (kind != PortKind::dpdk) return false;
  // [domain:]bus:device.function, before the first comma.
  std::string_view address = std::string_view(argument).substr(0, argument.find(','));
  if (address.starts_with("pci:")) address.remove_prefix(4);
  const std::size_t dot = address.find('.');
  const std::size_t colon = address.rfind(':');
  if (dot == std::string_view::npos || colon == std::string_view::npos || colon > dot) return false;
  std::string_view bus = address.substr(0, colon);
  if (const std::size_t domain = bus.find(':'); domain != std::string_view::npos) {
    if (!hex_digits(bus.substr(0, domain))) return false;
    bus.remove_prefix(domain + 1);
  }
  return hex_digits(bus) && hex_digits(address.substr(colon + 1, dot - colon - 1)) &&
         hex_digits(address.substr(dot + 1));
}

FaultConfig faults_of(const PortConfig& config) noexcept {
  FaultConfig faults = config.faults;
  faults.seed ^= (std::uint64_t{config.local.ipv4} << 16) | config.local.udp_port;
  return faults;
}

PortSpec parse_port_spec(std::string_view text) {
  const auto refuse = [&](std::string_view reason) {
    return StartupError(fmt::format("port \"{}\": {}; {}", text, reason, kForms));
  };
  if (text == kUdp) return {PortKind::udp, {}};
  if (text.starts_with(kVhostPrefix)) {
    const std::string_view path = text.substr(kVhostPrefix.size());
    if (!path.starts_with('/')) throw refuse("the socket's path must be absolute");
    if (path.size() > kMaxSocketPath) {
      throw refuse(fmt::format("the socket's path is longer than {} bytes", kMaxSocketPath));
    }
    // Devargs are split at these; there is no way to quote them.
    if (path.find_first_of(",=[]") != std::string_view::npos) {
      throw refuse("the socket's path must not contain any of , = [ ]");
    }
    return {PortKind::vhost, std::string(path)};
  }
  if (text.starts_with(kDpdkPrefix)) {
    const std::string_view devargs = text.substr(kDpdkPrefix.size());
    if (devargs.empty()) throw refuse("the devargs are missing");
    return {PortKind::dpdk, std::string(devargs)};
  }
  throw refuse("unknown kind");
}

}  // namespace binlane

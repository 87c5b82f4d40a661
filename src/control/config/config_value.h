// Texts of configuration values that have a format of their own: addresses and ports. For ordinary
// threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/config/config.h"
#include "dataplane/port/port.h"

namespace binlane {

// The longest path a unix socket can have: sun_path less its terminator.
inline constexpr std::size_t kMaxSocketPathLength = 107;

// "198.18.0.1:7100"; the port must be 1 to 65535, the address not 0.0.0.0.
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string endpoint_text(const Endpoint& endpoint);

// "vhost:/path.sock", "dpdk:<devargs>" or "udp"; on failure `expected` says what is accepted.
std::optional<PortSpec> parse_port(std::string_view text, std::string& expected);

// Names of hosts, replicas and clusters: letters, digits, '_', '-' and '.', 1 to 64 of them.
bool is_plain_name(std::string_view text);

// Reads the password from a file that only its owner (and readers of its group) can read. On
// failure the password is empty and `problem` says why.
Secret read_password_file(const std::string& path, std::string& problem);

}  // namespace binlane

#include "control/config/config_value.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "base/error.h"
#include "base/number_text.h"
#include "control/config/file_trust.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr std::size_t kMaxNameLength = 64;
constexpr std::size_t kMaxPasswordLength = 1024;
// Group members may not write and others may do nothing: a user who can write the file chooses the
// password, and a user who can read it has the password.
constexpr mode_t kForbiddenModeBits = S_IWGRP | S_IRWXO;

constexpr std::string_view kVhostPrefix = "vhost:";
constexpr std::string_view kDpdkPrefix = "dpdk:";

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string host(text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + 1);
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) != 1 || address.s_addr == INADDR_ANY)
    return std::nullopt;
  const std::uint16_t port = parse_number<std::uint16_t>(port_text).value_or(0);
  if (port == 0) return std::nullopt;
  return Endpoint{ntohl(address.s_addr), port};
}

std::string endpoint_text(const Endpoint& endpoint) {
  return fmt::format("{}.{}.{}.{}:{}", endpoint.ipv4 >> 24, endpoint.ipv4 >> 16 & 0xff,
                     endpoint.ipv4 >> 8 & 0xff, endpoint.ipv4 & 0xff, endpoint.udp_port);
}

std::optional<PortSpec> parse_port(std::string_view text, std::string& expected) {
  if (text == "udp") return PortSpec{PortKind::udp, {}};
  if (text.starts_with(kVhostPrefix)) {
    const std::string_view path = text.substr(kVhostPrefix.size());
    if (!path.empty() && path.size() <= kMaxSocketPathLength && path.front() == '/')
      return PortSpec{PortKind::vhost, std::string(path)};
    expected = fmt::format("vhost: needs an absolute socket path of at most {} characters",
                           kMaxSocketPathLength);
    return std::nullopt;
  }
  if (text.starts_with(kDpdkPrefix)) {
    const std::string_view devargs = text.substr(kDpdkPrefix.size());
    if (!devargs.empty()) return PortSpec{PortKind::dpdk, std::string(devargs)};
    expected = "dpdk: needs a device, such as dpdk:0000:01:00.0 or dpdk:net_af_packet0,iface=eth0";
    return std::nullopt;
  }
  expected = "expected \"vhost:/path.sock\", \"dpdk:<devargs>\" or \"udp\"";
  return std::nullopt;
}

std::string to_string(const PortSpec& port) {
  switch (port.kind) {
    case PortKind::vhost:
      return std::string(kVhostPrefix) + port.argument;
    case PortKind::dpdk:
      return std::string(kDpdkPrefix) + port.argument;
    case PortKind::udp:
      break;
  }
  return "udp";
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameLength &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' ||
                  c == '.';
         });
}

Secret read_password_file(const std::string& path, std::string& problem) {
  // O_NONBLOCK: a FIFO put in the file's place must not hang the start.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) {
    problem = fmt::format("cannot open {}: {}", path, why_not_opened(path, errno));
    return {};
  }
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    problem = fmt::format("{} is not a regular file", path);
    return {};
  }
  if ((facts.st_mode & kForbiddenModeBits) != 0) {
    problem = fmt::format("{} has mode {:04o}: others could read or change it; run chmod g-w,o= {}",
                          path, facts.st_mode & 07777, path);
    return {};
  }
  problem = why_foreign(path, facts);
  if (!problem.empty()) return {};
  // One byte more than allowed, to see whether there is more; two for the newline.
  std::array<char, kMaxPasswordLength + 3> buffer{};
  const ssize_t length = ::read(file.get(), buffer.data(), buffer.size());
  if (length < 0) {
    problem = fmt::format("cannot read {}: {}", path, errno_text(errno));
    return {};
  }
  std::string_view text(buffer.data(), static_cast<std::size_t>(length));
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) problem = fmt::format("{} is empty", path);
  if (text.size() > kMaxPasswordLength)
    problem = fmt::format("{} holds more than {} bytes", path, kMaxPasswordLength);
  if (text.find_first_of(std::string_view("\0\n", 2)) != std::string_view::npos)
    problem = fmt::format("{} holds more than one line, or a NUL", path);
  Secret secret;
  if (problem.empty()) secret = Secret(std::string(text));
  ::explicit_bzero(buffer.data(), buffer.size());
  return secret;
}

}  // namespace binlane

#include "control/config/peer_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/config/config_value.h"

namespace binlane {
namespace {

constexpr std::string_view kNoArp =
    "only a dpdk: port has an ARP table of its own; for \"udp\" the kernel's is used (ip "
    "neighbour)";

bool has_arp(const PortSpec& port) {
  return port.kind == PortKind::dpdk;
}

// A source of the cluster uses kernel UDP from the address at which it answers as a replica, with
// another port number. Any other kind of port has an address of its own, which is unknown here.
bool peers_tell_sources(const Config& config) {
  if (!config.source || config.replica->port.kind != PortKind::udp) return false;
  const auto& replicas = config.source->replicas;
  return std::all_of(replicas.begin(), replicas.end(), [](const SourceReplicaConfig& replica) {
    return replica.port.kind == PortKind::udp;
  });
}

}  // namespace

std::optional<MacAddress> parse_mac(std::string_view text) {
  constexpr std::size_t kLength = 17;  // "02:00:00:00:00:01"
  if (text.size() != kLength) return std::nullopt;
  MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    const char* const at = text.data() + 3 * i;
    const auto [stop, code] = std::from_chars(at, at + 2, mac.bytes[i], 16);
    if (code != std::errc{} || stop != at + 2) return std::nullopt;
    if (i + 1 < mac.bytes.size() && at[2] != ':') return std::nullopt;
  }
  if (!mac.is_unicast()) return std::nullopt;
  return mac;
}

std::optional<SourceAddress> parse_source_address(std::string_view text) {
  SourceAddress source;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    source.mac = parse_mac(text.substr(at + 1));
    if (!source.mac) return std::nullopt;
    text = text.substr(0, at);
  }
  const bool any_port = text.find(':') == std::string_view::npos;
  const auto endpoint = parse_endpoint(any_port ? fmt::format("{}:1", text) : std::string(text));
  if (!endpoint) return std::nullopt;
  source.at = *endpoint;
  if (any_port) source.at.udp_port = 0;
  return source;
}

std::string peer_text(const PeerAddress& peer) {
  const std::string text = endpoint_text({peer.ipv4, peer.udp_port});
  return peer.udp_port == 0 ? text.substr(0, text.rfind(':')) : text;
}

const char* to_string(SourcesFrom from) {
  switch (from) {
    case SourcesFrom::configuration:
      return "configuration";
    case SourcesFrom::own_peers:
      return "source.replica";
    case SourcesFrom::socket:
      return "socket";
    case SourcesFrom::anybody:
      break;
  }
  return "anybody";
}

ReplicaSources replica_sources(const Config& config) {
  const ReplicaConfig& replica = *config.replica;
  ReplicaSources sources;
  if (!replica.sources.empty()) {
    sources.from = SourcesFrom::configuration;
    for (const std::string& text : replica.sources) {
      if (const auto source = parse_source_address(text))
        static_cast<void>(sources.peers.add({0, source->at.ipv4, source->at.udp_port}));
    }
    return sources;
  }
  if (replica.port.kind == PortKind::vhost) return {PeerList::anybody(), SourcesFrom::socket};
  if (!peers_tell_sources(config)) return {PeerList::anybody(), SourcesFrom::anybody};
  sources.from = SourcesFrom::own_peers;
  for (const SourceReplicaConfig& peer : config.source->replicas)
    static_cast<void>(sources.peers.add({0, peer.address.ipv4, 0}));
  return sources;
}

std::string check_sources(const ReplicaConfig& replica) {
  if (replica.sources.size() > PeerList::kMaxPeers)
    return fmt::format("{} addresses, expected at most {}", replica.sources.size(),
                       PeerList::kMaxPeers);
  for (const std::string& text : replica.sources) {
    const auto source = parse_source_address(text);
    if (!source)
      return fmt::format(
          "\"{}\" is not an \"IPv4 address\", \"IPv4 address:port\" or \"IPv4 address:port@MAC "
          "address\"",
          text);
    if (source->mac && !has_arp(replica.port)) return fmt::format("\"{}\": {}", text, kNoArp);
  }
  return {};
}

std::string check_mac(const SourceReplicaConfig& replica) {
  if (replica.mac.empty()) return {};
  if (!parse_mac(replica.mac))
    return fmt::format("\"{}\" is not a MAC address of one host, such as 02:00:00:00:00:01",
                       replica.mac);
  return has_arp(replica.port) ? std::string() : std::string(kNoArp);
}

std::vector<Neighbour> neighbours_of(const ReplicaConfig& replica) {
  std::vector<Neighbour> all;
  for (const std::string& text : replica.sources) {
    const auto source = parse_source_address(text);
    if (source && source->mac) all.push_back({source->at.ipv4, *source->mac});
  }
  return all;
}

std::vector<Neighbour> neighbours_of(const SourceConfig& source,
                                     const SourceReplicaConfig& shared) {
  std::vector<Neighbour> all;
  for (const SourceReplicaConfig& replica : source.replicas) {
    if (!(replica.port == shared.port) || replica.local_address != shared.local_address) continue;
    if (const auto mac = parse_mac(replica.mac)) all.push_back({replica.address.ipv4, *mac});
  }
  return all;
}

}  // namespace binlane

// PeerConfig: which peers the configuration names, and what is known of their addresses.
//
// A source hears the addresses of its replicas. A replica hears the hosts that [replica] sources
// lists; if that is missing and can be derived from the [source] section, it hears those. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"
#include "dataplane/port/ethernet.h"
#include "dataplane/session/peer_list.h"

namespace binlane {

// One entry of [replica] sources: "10.0.0.1", "10.0.0.1:7200", "10.0.0.1:7200@02:00:00:00:00:01".
struct SourceAddress {
  Endpoint at;  // port number 0: any
  std::optional<MacAddress> mac;
};

std::optional<MacAddress> parse_mac(std::string_view text);
std::optional<SourceAddress> parse_source_address(std::string_view text);
// As an entry of the list is written, without a MAC address.
std::string peer_text(const PeerAddress& peer);

// Where a replica's list of sources comes from.
enum class SourcesFrom : std::uint8_t {
  configuration,  // [replica] sources
  own_peers,      // the hosts that this one would serve as the source, whatever port they use
  socket,         // a vhost-user link: whoever may open its socket
  anybody,        // nothing says who may be the source: everybody who can send a datagram is heard
};
const char* to_string(SourcesFrom from);

struct ReplicaSources {
  PeerList peers;
  SourcesFrom from = SourcesFrom::configuration;
};
// `config` has a [replica] section, and has been checked.
ReplicaSources replica_sources(const Config& config);

// What is wrong with [replica] sources; empty if nothing is.
std::string check_sources(const ReplicaConfig& replica);
// What is wrong with a replica's `mac`; empty if nothing is.
std::string check_mac(const SourceReplicaConfig& replica);

// Entries for the ARP table of the port that carries [replica].
std::vector<Neighbour> neighbours_of(const ReplicaConfig& replica);
// The same for the port that this replica shares with others of the same port and local address.
std::vector<Neighbour> neighbours_of(const SourceConfig& source, const SourceReplicaConfig& shared);

}  // namespace binlane

// PeerList: which hosts a lane hears, and which of its peers a datagram comes from.
//
// A lane asks it about every datagram before reading the datagram, and drops what comes from no
// peer on the list. [S19] Today an address alone tells one peer from another; once frames have
// keys, the key will be checked here as well.
//
// A fixed table of plain values, because a lane allocates nothing after its start and gets a new
// list through a queue.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "base/mutant.h"
#include "dataplane/port/port.h"

namespace binlane {

struct PeerAddress {
  std::uint32_t port = 0;      // index of the lane's port
  std::uint32_t ipv4 = 0;      // host byte order
  std::uint16_t udp_port = 0;  // 0: any, for a peer whose port number is not fixed

  constexpr auto operator<=>(const PeerAddress&) const = default;
};

class PeerList {
 public:
  static constexpr std::size_t kMaxPeers = 64;

  // Hears no host until peers are added.
  PeerList() = default;
  // Hears every address: for a replica whose sources are not configured.
  static PeerList anybody() noexcept {
    PeerList list;
    list.anybody_ = true;
    return list;
  }
  bool hears_anybody() const noexcept { return anybody_; }

  // False: the table is full.
  bool add(const PeerAddress& peer) noexcept {
    if (count_ == kMaxPeers) return false;
    peers_[count_++] = peer;
    return true;
  }
  std::size_t size() const noexcept { return count_; }
  const PeerAddress& at(std::size_t index) const noexcept { return peers_[index]; }

  // Which peer the sender is, as the index in the order of add(); nothing if it is none.
  std::optional<std::size_t> find(std::uint32_t port, const Endpoint& from) const noexcept {
    for (std::size_t index = 0; index < count_; ++index) {
      const PeerAddress& peer = peers_[index];
      const bool same_port = peer.udp_port == 0 || peer.udp_port == from.udp_port;
      if (peer.port == port && peer.ipv4 == from.ipv4 && same_port) return index;
    }
    return std::nullopt;
  }
  bool hears(std::uint32_t port, const Endpoint& from) const noexcept {
    return BL_MUTANT(strangers_heard, true, anybody_ || find(port, from).has_value());
  }

 private:
  std::size_t count_ = 0;
  bool anybody_ = false;
  std::array<PeerAddress, kMaxPeers> peers_{};
};
static_assert(std::is_trivially_copyable_v<PeerList>);

}  // namespace binlane

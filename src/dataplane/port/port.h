// Port: how a duty cycle sends and receives datagrams, whatever carries them.
//
// A port knows endpoints and UDP payloads only; Ethernet, ARP and IPv4 remain inside it.
// Implementations: DpdkPort (any ethdev), UdpPort (kernel sockets) and the simulator's. One thread,
// the lane's, owns a port.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace binlane {

// Host byte order.
struct Endpoint {
  std::uint32_t ipv4 = 0;
  std::uint16_t udp_port = 0;

  constexpr auto operator<=>(const Endpoint&) const = default;
};

struct Datagram {
  ConstBytes payload;
  Endpoint from;
};

// The largest number of datagrams that one rx() returns; vector receive paths of some NICs return
// nothing for less.
inline constexpr std::size_t kRxBurst = 32;

template <class P>
concept Port = requires(P port, const Endpoint& to, std::uint32_t length) {
  // What has arrived, at most kRxBurst datagrams. The bytes are valid until the next call of rx().
  { port.rx() } -> std::same_as<std::span<const Datagram>>;
  // A buffer of max_payload() bytes for one datagram, or an empty span if none is free (the port
  // counts that; the caller tries again in a later turn). Without a tx_commit() the next call
  // returns the same buffer again, because a frame may turn out not to be sendable.
  { port.tx_buffer() } -> std::same_as<MutableBytes>;
  // Queues the first `length` bytes of the last tx_buffer() for `to`.
  {port.tx_commit(to, length)};
  // Hands everything queued to the wire: one burst a turn for all peers. What the wire does not
  // take remains queued for the next flush, up to the port's bound. Beyond that it is dropped and
  // counted.
  {port.flush()};
  // UDP payload bytes that fit the MTU.
  { port.max_payload() } -> std::convertible_to<std::uint32_t>;
};

// Counters that every port keeps, written by the lane, read by any thread (relaxed atomics inside
// the ports).
struct PortCounters {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_foreign = 0;  // not IPv4/UDP for us, bad checksum, fragments
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_no_buffer = 0;   // tx_buffer() had none
  std::uint64_t tx_dropped = 0;     // the wire did not take it within the bound
  std::uint64_t tx_unresolved = 0;  // no MAC address for the endpoint yet
  // Times the link went down, and of those how often the lane did not step aside in time; always 0
  // for a port without a device of its own.
  std::uint64_t link_downs = 0;
  std::uint64_t quiesce_timeouts = 0;
};

}  // namespace binlane

// CountingPort: an AnyPort that counts the datagrams given to it, so that a benchmark can tell a
// commit that took one frame from one that had to be repaired.
#pragma once

#include <cstdint>

#include "dataplane/port/any_port.h"

namespace binlane::bench {

class CountingPort {
 public:
  explicit CountingPort(AnyPort& port) noexcept : port_(port) {}

  std::span<const Datagram> rx() { return port_.rx(); }
  MutableBytes tx_buffer() { return port_.tx_buffer(); }
  void tx_commit(const Endpoint& to, std::uint32_t length) {
    ++committed_;
    port_.tx_commit(to, length);
  }
  void flush() { port_.flush(); }
  std::uint32_t max_payload() const noexcept { return port_.max_payload(); }

  std::uint64_t committed() const noexcept { return committed_; }

 private:
  AnyPort& port_;
  std::uint64_t committed_ = 0;
};
static_assert(Port<CountingPort>);

}  // namespace binlane::bench

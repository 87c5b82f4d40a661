// HelloCycle: the duty cycle of a source's lane that has no stream: it passes HELLOs on, and their
// answers back, and nothing else. What a host looks at its peers with before it bids for a term.
//
// Template over Port. Owned by the lane's thread; control reaches it through the lane's queues.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/frame.h"
#include "dataplane/hello.h"
#include "dataplane/port.h"
#include "dataplane/source_cycle.h"

namespace binlane {

template <Port P>
class HelloCycle {
 public:
  HelloCycle(std::span<P* const> ports, SourceLaneQueues& queues) noexcept
      : ports_(ports), queues_(queues) {}

  // One turn. Returns how much was done: 0 means the lane may idle. Lane's thread only.
  std::size_t do_work() noexcept {
    std::size_t work = 0;
    for (; work < kHelloQueue && queues_.hello_out.try_pop(hello_); ++work) send();
    for (P* port : ports_) port->flush();
    for (std::uint32_t i = 0; i < ports_.size(); ++i) {
      for (const Datagram& datagram : ports_[i]->rx()) {
        receive(i, datagram);
        ++work;
      }
    }
    return work;
  }

 private:
  void send() noexcept {
    const MutableBytes buffer = ports_[hello_.port]->tx_buffer();
    if (buffer.size() < hello_.length) return;  // counted by the port; the look is repeated
    std::copy_n(hello_.bytes.begin(), hello_.length, buffer.begin());
    ports_[hello_.port]->tx_commit(hello_.peer, hello_.length);
  }
  void receive(std::uint32_t port, const Datagram& datagram) noexcept {
    FrameView frame;
    if (decode(datagram.payload, frame) != FrameFault::none ||
        frame.type() != wire::Type::hello_ack)
      return;
    const std::size_t length = sizeof(wire::Header) + frame.body.size();
    // A full queue loses it as the network might.
    if (fill_hello(hello_, port, datagram.from, datagram.payload.first(length)))
      static_cast<void>(queues_.hello_in.try_push(hello_));
  }

  std::span<P* const> ports_;
  SourceLaneQueues& queues_;
  HelloMessage hello_;
};

}  // namespace binlane

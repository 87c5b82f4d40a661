// HelloCycle: the duty cycle of a source's lane that has no stream. It sends HELLOs and passes on
// their answers, and does nothing else. A host uses it to look at its peers before it bids for a
// term.
//
// Template over Port. Owned by the lane's thread; control uses the lane's queues.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/port/port.h"
#include "dataplane/session/frame.h"
#include "dataplane/session/hello.h"

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
    BL_ASSERT(hello_.port < ports_.size() && hello_.length <= hello_.bytes.size());
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
    // If the queue is full the HELLO is lost, as the network might lose it, and counted.
    if (fill_hello(hello_, port, datagram.from, datagram.payload.first(length)))
      static_cast<void>(queues_.hello_in.try_push(hello_));
  }

  std::span<P* const> ports_;
  SourceLaneQueues& queues_;
  HelloMessage hello_;
};

}  // namespace binlane

// PortTally: the counters of one port. The lane writes them, and any thread reads them.
#pragma once

#include "base/shared_counter.h"
#include "dataplane/port/port.h"

namespace binlane {

struct PortTally {
  SharedCounter rx_packets, rx_bytes, rx_foreign;
  SharedCounter tx_packets, tx_bytes, tx_no_buffer, tx_dropped, tx_unresolved;

  PortCounters snapshot() const noexcept {
    return {.rx_packets = rx_packets.get(),
            .rx_bytes = rx_bytes.get(),
            .rx_foreign = rx_foreign.get(),
            .tx_packets = tx_packets.get(),
            .tx_bytes = tx_bytes.get(),
            .tx_no_buffer = tx_no_buffer.get(),
            .tx_dropped = tx_dropped.get(),
            .tx_unresolved = tx_unresolved.get()};
  }
};

}  // namespace binlane

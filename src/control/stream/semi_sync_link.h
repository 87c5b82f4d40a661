// SemiSyncLink: the source lane's connection to the server's semi-sync: ACKs out, wanted positions
// in.
//
// It joins the drain's queue and the ACK sender to the concept that the duty cycle is written for.
// Lane's thread.
#pragma once

#include <string>

#include "shim/server/ack_sender.h"
#include "shim/server/dump_drain.h"

namespace binlane {

class SemiSyncLink {
 public:
  SemiSyncLink(DumpDrain& drain, const std::string& basename)
      : drain_(drain), sender_(drain.ack_socket(), basename) {}

  std::size_t poll(const Position& quorum) noexcept {
    std::size_t work = 0;
    DrainEvent event;
    while (work < DumpDrain::kQueueCapacity && drain_.try_pop(event)) {
      sender_.on_wanted(event);
      ++work;
    }
    return sender_.poll(quorum, incarnation_) ? work + 1 : work;
  }
  void pause() noexcept { sender_.pause(); }
  void resume() noexcept { sender_.resume(); }
  // While the lane is quiesced: quorums are of this incarnation from now on, and only a connection
  // that was registered for it receives their ACKs. [S3]
  void begin_incarnation(std::uint32_t incarnation) noexcept { incarnation_ = incarnation; }
  // The lane ends: the drain gets its descriptor back.
  void detach() noexcept { sender_.detach(); }

  const AckSenderCounters& counters() const noexcept { return sender_.counters(); }

 private:
  DumpDrain& drain_;
  AckSender sender_;
  std::uint32_t incarnation_ = 0;
};

}  // namespace binlane

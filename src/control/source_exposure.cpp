// SourceControl, the part that tells the replicas what the ledger says (safety rules S8, S10).
//
// The order that matters: the ledger has an interval, every replica that is to be told of what was
// released in it has put it on record, and only then the lane tells it. A replica that does not
// answer keeps from its server what no quorum has; it is never waited for.

#include "base/log.h"
#include "control/source_control.h"

namespace binlane {

// The number of the list that says what the ledger says at this moment.
std::uint64_t SourceControl::look_at_ledger() {
  ledger_bytes_seen_ = ledger_.totals().bytes;
  return exposures_->update(exposures_of(ledger_, state_.origin), ledger_.totals().entries);
}

void SourceControl::take_exposed_ack(const HelloMessage& message) {
  FrameView frame;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_exposure_known;
  if (decode(message.frame(), frame) != FrameFault::none ||
      !exposures_->on_reply(frame, command.replica, command.exposure))
    return;
  command.session_id = frame.header.session_id;
  if (!send(command)) exposures_->forget(command.replica);
}

void SourceControl::tell_exposures(std::uint64_t now_ns) {
  if (phase_ != Phase::running) return;
  if (ledger_.totals().bytes != ledger_bytes_seen_) look_at_ledger();
  for (std::uint32_t i = 0; i < desk_->size(); ++i) {
    const HandshakeDesk::Replica& replica = desk_->replica(i);
    exposures_->on_session(i, desk_->session_of(i), replica.port, replica.address);
  }
  HelloMessage message;
  for (std::size_t i = 0; i < kMaxReplicas && exposures_->poll(now_ns, message); ++i) {
    // A full queue loses it as the network might; it is repeated.
    if (!lane_.queues().hello_out.try_push(message))
      log::debug("hello_queue_full", "exposures not sent: the lane is busy");
  }
}

}  // namespace binlane

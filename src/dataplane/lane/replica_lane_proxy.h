// ReplicaLaneProxy: how other threads tell a replica's lane something. One function for each thing
// that can be told, with the thread that may.
//
// A function that returns false could not tell it because the queue is full: the queue has counted
// that. A HELLO or an answer that does not fit is lost, as one may be on the network, and the
// source repeats its own. Made where it is needed: it holds nothing but a reference to the queues
// (ReplicaLaneQueues, replica_queues.h).
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "dataplane/lane/replica_queues.h"

namespace binlane {

template <class Queues>
class ReplicaLaneProxy {
 public:
  explicit ReplicaLaneProxy(Queues& queues) noexcept : queues_(queues) {}

  // Control thread: the handshake goes on with this HELLO, which has been admitted or refused.
  bool admit(const AdmittedHello& hello) noexcept {
    BL_ASSERT(!hello.refused || hello.reason[0] != 0);  // a refusal says why
    return queues_.admitted.try_push(hello);
  }
  // Control thread: sends the frame as it is.
  bool send_answer(const HelloMessage& answer) noexcept { return queues_.answers.try_push(answer); }
  // Control thread: what the ACKs say of this replica, as bits of wire::AckState.
  void set_state(std::uint16_t state) noexcept {
    queues_.state.store(state, std::memory_order_relaxed);
  }
  // The thread that asks the local server: it has executed everything before this log offset; 0:
  // not known.
  void set_applied(std::uint64_t applied_log) noexcept {
    queues_.applied_log.store(applied_log, std::memory_order_relaxed);
  }
  // The thread that changes settings: the lane hears these addresses, and no others.
  [[nodiscard]] bool hear(const PeerList& sources) noexcept {
    return queues_.peers.try_push(sources);
  }

  // While the lane is quiesced: no HELLO that was admitted begins a session any more.
  void forget_admitted() noexcept {
    AdmittedHello admitted;
    while (queues_.admitted.try_pop(admitted)) {
    }
  }
  // While the lane is quiesced: another archive follows, with marks and sequence numbers of its
  // own.
  void forget_archive() noexcept {
    typename Queues::ReleaseMarkType mark;
    while (queues_.released.try_pop(mark)) {
    }
    std::uint64_t sequence = 0;
    while (queues_.archived.try_pop(sequence)) {
    }
    set_applied(0);
  }

 private:
  Queues& queues_;
};

}  // namespace binlane

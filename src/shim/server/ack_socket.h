// AckSocket: lends the dump connection's descriptor to the lane, which writes ACKs on it.
//
// The drain thread owns the descriptor and closes it only after the lane has returned it. So the
// lane can never write into a descriptor that was closed and given to a client's connection
// meanwhile. Each lease has a generation: a new one tells the lane that nothing it sent earlier
// counts for this connection. A lease also names the stream's incarnation that the connection was
// registered for. After a RESET MASTER the same positions mean other bytes, so a quorum of one
// incarnation must not be sent on a connection of another.
//
// One owner (drain thread), one borrower (lane). The borrower first says what it holds, then checks
// again whether the offer is still there; the owner first withdraws the offer, then checks what is
// held. With sequentially consistent order one of the two always sees the other.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/assert.h"

namespace binlane {

class AckSocket {
 public:
  struct Lease {
    int descriptor = -1;  // -1: no connection
    std::uint32_t generation = 0;
    std::uint32_t incarnation = 0;
  };

  // Owner. Asserts that the previous lease was seen released. Returns the generation.
  std::uint32_t offer(int descriptor, std::uint32_t incarnation) noexcept {
    // held_ itself proves nothing here: a borrower that read the offer before it was withdrawn may
    // still be about to say that it holds it. It will check again and return it, using nothing.
    BL_ASSERT(descriptor >= 0 && !lent_ && offered_.load() == kNothing);
    lent_ = true;
    ++generation_;
    // No thread reads it now, and a borrower that takes the offer sees it.
    incarnation_ = incarnation;
    offered_.store(pack(descriptor, generation_));
    return generation_;
  }
  // Owner. Withdraws the offer; is_released() says when the descriptor may be closed. Once
  // released, it remains released, whatever held_ shows for a moment.
  void revoke() noexcept { offered_.store(kNothing); }
  bool is_released() noexcept {
    if (lent_ && offered_.load() == kNothing && held_.load() == kNothing) lent_ = false;
    return !lent_;
  }

  // Borrower, once a turn: the descriptor to write on in this turn. Returns a revoked one.
  Lease borrow() noexcept {
    std::uint64_t offered = offered_.load(std::memory_order_acquire);
    if (offered != borrowed_) {
      borrowed_ = offered;
      held_.store(offered);
      offered = offered_.load();
      if (offered != borrowed_) give_back();
    }
    if (borrowed_ == kNothing) return {};
    return {static_cast<int>(borrowed_ & 0xffff'ffff), static_cast<std::uint32_t>(borrowed_ >> 32),
            incarnation_};
  }
  // Borrower: the lane ends or pauses; borrow() may be called again later.
  void give_back() noexcept {
    borrowed_ = kNothing;
    held_.store(kNothing);
  }

 private:
  static constexpr std::uint64_t kNothing = 0;

  // Generations begin at 1, so that no lease packs to kNothing.
  static constexpr std::uint64_t pack(int descriptor, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(descriptor);
  }

  alignas(64) std::atomic<std::uint64_t> offered_{kNothing};
  alignas(64) std::atomic<std::uint64_t> held_{kNothing};
  std::uint64_t borrowed_ = kNothing;  // borrower's
  // Written by the owner while nothing is offered, read by the borrower while it holds.
  alignas(64) std::uint32_t incarnation_ = 0;
  std::uint32_t generation_ = 0;  // owner's
  bool lent_ = false;             // owner's: a lease is out, or was not yet seen released
};

}  // namespace binlane

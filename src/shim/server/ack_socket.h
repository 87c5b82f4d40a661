// AckSocket: lends the dump connection's descriptor to the lane, which writes ACKs on it.
//
// The drain thread owns the descriptor and closes it only after the lane has let go, so that the
// lane can never write into a descriptor that was closed and given to a client's connection
// meanwhile. Each loan has a generation: a new one tells the lane that nothing it sent earlier
// counts for this connection. And it names the stream's incarnation that the connection was
// registered for: after a RESET MASTER the same positions mean other bytes, so a quorum of one
// incarnation must not be told on a connection of another.
//
// One lender (drain thread), one borrower (lane). The borrower first says what it holds, then looks
// again whether the offer still stands; the lender first takes the offer back, then looks what is
// held. With sequentially consistent order one of the two always sees the other.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/assert.h"

namespace binlane {

class AckSocket {
 public:
  struct Loan {
    int descriptor = -1;  // -1: no connection
    std::uint32_t generation = 0;
    std::uint32_t incarnation = 0;
  };

  // Lender. Asserts that the loan before was seen released. Returns the generation.
  std::uint32_t offer(int descriptor, std::uint32_t incarnation) noexcept {
    // held_ itself proves nothing here: a borrower that read the offer before it was taken back may
    // still be about to say that it holds it. It will look again and let go, using nothing.
    BL_ASSERT(descriptor >= 0 && !lent_ && offered_.load() == kNothing);
    lent_ = true;
    ++generation_;
    // Nobody reads it now, and whoever takes the offer sees it.
    incarnation_ = incarnation;
    offered_.store(pack(descriptor, generation_));
    return generation_;
  }
  // Lender. Takes the offer back; is_released() says when the descriptor may be closed. Once it was
  // released it stays so, whatever held_ shows for a moment.
  void revoke() noexcept { offered_.store(kNothing); }
  bool is_released() noexcept {
    if (lent_ && offered_.load() == kNothing && held_.load() == kNothing) lent_ = false;
    return !lent_;
  }

  // Borrower, once a turn: the descriptor to write on in this turn. Lets go of a revoked one.
  Loan borrow() noexcept {
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

  // Generations begin at 1, so that no loan packs to kNothing.
  static constexpr std::uint64_t pack(int descriptor, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(descriptor);
  }

  alignas(64) std::atomic<std::uint64_t> offered_{kNothing};
  alignas(64) std::atomic<std::uint64_t> held_{kNothing};
  std::uint64_t borrowed_ = kNothing;  // borrower's
  // Written by the lender while nothing is offered, read by the borrower while it holds.
  alignas(64) std::uint32_t incarnation_ = 0;
  std::uint32_t generation_ = 0;  // lender's
  bool lent_ = false;             // lender's: a loan is out, or was not yet seen released
};

}  // namespace binlane

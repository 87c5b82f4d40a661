// AckSender: the lane's side of the connection to the server: writes semi-sync ACKs on the dump
// connection.
//
// An ACK says "everything up to here has its quorum". poll() is given the position that the gate
// has proven for the current incarnation, and sends nothing else. [I2, S3, S13] It never blocks and
// never allocates: send(2) with MSG_DONTWAIT. What the socket does not take now is kept and sent
// first next time. Of several waiting positions only the newest is sent, because ACKs are
// cumulative.
//
// Owned by the source lane.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/position.h"
#include "shim/server/ack_socket.h"
#include "shim/server/drain_event.h"
#include "shim/server/semi_sync_ack.h"

namespace binlane {

struct AckSenderCounters {
  std::uint64_t sent = 0;     // packets that the socket took whole
  std::uint64_t resent = 0;   // queued although an ACK at or beyond them had been sent already
  std::uint64_t partial = 0;  // the socket took a part of a packet
  std::uint64_t full = 0;     // the socket took nothing; tried again in a later turn
  std::uint64_t failed = 0;   // the connection is broken; the drain thread notices by itself
};

class AckSender {
 public:
  // `basename` as in the server's file names, without a directory.
  AckSender(AckSocket& socket, std::string_view basename);

  // Called every turn, with the position up to which the rule's own level holds (null: nothing yet)
  // and the stream's incarnation of that position. On a connection of another incarnation nothing
  // is sent. Sends one packet at most. Returns true if a system call was made.
  bool poll(const Position& quorum, std::uint32_t incarnation) noexcept;

  // The server asks for the ACK of exactly this position. It is sent once the quorum covers it,
  // even if a later one was sent before (newer servers drop ACKs that match no waiter).
  void on_wanted(const DrainEvent& event) noexcept;
  // Semi-sync is being switched off: the server stops reading ACKs, and they would only fill the
  // socket. A packet that was begun is still finished.
  void pause() noexcept { paused_ = true; }
  // Semi-sync is on again, and the server has forgotten earlier ACKs, so the newest is sent again.
  void resume() noexcept {
    paused_ = false;
    last_ = {};
  }

  // The lane ends. poll() may be called again later.
  void detach() noexcept;

  const AckSenderCounters& counters() const noexcept { return counters_; }
  // Of the connection in use; 0: none yet.
  std::uint32_t generation() const noexcept { return generation_; }
  // The newest position queued on this connection.
  const Position& last() const noexcept { return last_; }

 private:
  void on_connection(std::uint32_t generation) noexcept;
  void queue(const Position& position) noexcept;
  void flush(int descriptor) noexcept;

  AckSocket& socket_;
  std::uint32_t generation_ = 0;
  bool broken_ = false;  // this generation's socket failed
  bool paused_ = false;
  Position last_;
  DrainEvent wanted_;  // null end: none
  std::array<std::byte, kMaxSemiSyncAckSize> packet_{};
  std::size_t packet_size_ = 0;  // 0: nothing is queued
  std::size_t packet_sent_ = 0;
  std::array<char, kMaxBinlogNameSize> basename_{};
  std::size_t basename_size_ = 0;
  AckSenderCounters counters_;
};

}  // namespace binlane

// PacketSocket: MySQL packets over one connected socket, with time limits and a way to end it from
// another thread.
//
// One thread owns it and does all reading and writing. end() may come from any thread and wakes the
// owner wherever it waits. Output is gathered in a buffer, and is sent when the buffer is full or
// flushed.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/bytes.h"
#include "shim/feed/mysql_frame.h"
#include "shim/feed/mysql_packet.h"

namespace binlane {

class PacketSocket {
 public:
  enum class Status : std::uint8_t {
    ok,
    closed,   // by the peer, or by the network
    timeout,  // the peer took or sent nothing in time
    ended,    // by end()
    broken,   // the peer breaks the protocol
  };

  // Takes over the descriptor, and makes it non-blocking. Packets longer than `max_packet` break
  // the connection.
  PacketSocket(int descriptor, std::size_t max_packet);
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;
  ~PacketSocket();

  // Packets from here on may have this length.
  void set_max_packet(std::size_t max_packet) { deframer_.set_max_payload(max_packet); }
  // Reads one packet. A new command begins at sequence number 0; other packets continue counting.
  Status read(mysql::Payload& payload, bool new_command, std::uint64_t timeout_ns);

  // Queues one packet.
  Status write(ConstBytes payload);
  // Queues one packet in pieces: first its length, then that many bytes.
  void begin_packet(std::uint64_t length);
  Status append(ConstBytes bytes);
  // Sends what is queued; fails when the peer takes nothing for kWriteTimeout.
  Status flush();

  // Whether the peer sent something or disconnected.
  bool has_input() const;
  // Ends the connection. Any thread.
  void end();
  bool ended() const noexcept { return ended_.load(std::memory_order_relaxed); }

  static constexpr std::uint64_t kWriteTimeoutNs = 60'000'000'000;

 private:
  void begin_frame();
  Status send_output();
  Status wait(short events, std::uint64_t deadline_ns) const;
  Status fail(Status status);

  const int descriptor_;
  mysql::Deframer deframer_;
  mysql::Payload input_;
  std::size_t input_used_ = 0;
  mysql::Payload output_;
  std::uint8_t sequence_ = 0;
  std::uint64_t packet_left_ = 0;
  std::size_t frame_left_ = 0;
  bool frame_is_full_ = false;  // so another one follows
  Status failed_ = Status::ok;  // the first failure is final
  std::atomic<bool> ended_{false};
};

}  // namespace binlane

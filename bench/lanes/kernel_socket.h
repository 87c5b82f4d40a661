// KernelSocket: messages of one size over the kernel's UDP or TCP on loopback, spinning on the
// socket or sleeping in poll(): what Binlane's transport is measured beside.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "dataplane/port/port.h"
#include "storage/file_util.h"

namespace binlane::bench {

enum class SocketKind : std::uint8_t { udp, tcp };

class KernelSocket {
 public:
  // Bound on loopback. Throws StartupError.
  KernelSocket(SocketKind kind, std::uint32_t bytes, bool blocking);

  Endpoint local() const;
  // Near end: to where the far end is bound.
  void connect(const Endpoint& to);
  // Far end, before the near end is told its address.
  void listen();
  // Far end: false until the near end has connected (UDP needs nothing).
  bool accept();

  // One message. False: not now, or the other end is gone.
  bool send() noexcept;
  // True when a whole message has arrived. Waits at most kWaitMs when blocking.
  bool receive() noexcept;

  static constexpr int kWaitMs = 100;

 private:
  SocketKind kind_;
  bool blocking_;
  FileDescriptor socket_;    // UDP's, or TCP's listener and then the near end's connection
  FileDescriptor accepted_;  // TCP's far end
  std::vector<std::byte> message_;
  std::size_t filled_ = 0;
  bool connected_ = false;
  int connection() const noexcept { return accepted_.is_open() ? accepted_.get() : socket_.get(); }
};

}  // namespace binlane::bench

#include "lanes/kernel_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"

namespace binlane::bench {
namespace {

sockaddr_in address_of(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(endpoint.ipv4);
  address.sin_port = htons(endpoint.udp_port);
  return address;
}

void must(bool good, const char* what) {
  if (!good) throw StartupError(fmt::format("kernel socket: {}: {}", what, errno_text(errno)));
}

bool wait_readable(int descriptor) noexcept {
  pollfd wait{descriptor, POLLIN, 0};
  return ::poll(&wait, 1, KernelSocket::kWaitMs) == 1;
}

}  // namespace

KernelSocket::KernelSocket(SocketKind kind, std::uint32_t bytes, bool blocking)
    : kind_(kind),
      blocking_(blocking),
      socket_(::socket(
          AF_INET,
          (kind == SocketKind::udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      message_(bytes) {
  must(socket_.is_open(), "socket");
  const sockaddr_in any = address_of({INADDR_LOOPBACK, 0});
  must(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
  const int on = 1;
  if (kind == SocketKind::tcp)
    must(::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

Endpoint KernelSocket::local() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  must(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0,
       "getsockname");
  return {ntohl(address.sin_addr.s_addr), ntohs(address.sin_port)};
}

void KernelSocket::connect(const Endpoint& to) {
  connected_ = true;
  const sockaddr_in address = address_of(to);
  const int code =
      ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (code == 0 || errno != EINPROGRESS) return must(code == 0, "connect");
  pollfd wait{socket_.get(), POLLOUT, 0};
  int error = 0;
  socklen_t length = sizeof error;
  must(::poll(&wait, 1, kWaitMs) == 1 &&
           ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0,
       "connect");
}

void KernelSocket::listen() {
  if (kind_ == SocketKind::tcp) must(::listen(socket_.get(), 1) == 0, "listen");
}

bool KernelSocket::accept() {
  if (kind_ == SocketKind::udp || accepted_.is_open()) return true;
  if (!wait_readable(socket_.get())) return false;
  accepted_.reset(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  must(accepted_.is_open(), "accept");
  const int on = 1;
  must(::setsockopt(accepted_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
  return true;
}

bool KernelSocket::send() noexcept {
  // A message is far smaller than the socket's buffer, and one is in transit at a time, so it is
  // taken whole.
  return ::send(connection(), message_.data(), message_.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message_.size());
}

bool KernelSocket::receive() noexcept {
  if (blocking_ && !wait_readable(connection())) return false;
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const ssize_t count =
      ::recvfrom(connection(), message_.data() + filled_, message_.size() - filled_, 0,
                 reinterpret_cast<sockaddr*>(&from), &length);
  if (count <= 0) return false;
  filled_ += static_cast<std::size_t>(count);
  if (filled_ < message_.size()) return false;
  filled_ = 0;
  // A UDP far end answers whoever wrote first.
  if (kind_ == SocketKind::udp && !connected_)
    connected_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&from), length) == 0;
  return true;
}

}  // namespace binlane::bench

#include "control/admin/admin_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/clock.h"
#include "base/error.h"

namespace binlane {
namespace {

using nlohmann::json;

// Waits until the socket is ready; 0, ETIMEDOUT or another errno.
int wait_for(int socket, short events, std::uint64_t deadline_ns) {
  while (true) {
    const std::uint64_t now_ns = monotonic_ns();
    if (now_ns >= deadline_ns) return ETIMEDOUT;
    pollfd polled{socket, events, 0};
    // Rounded up: waking a little late is better than spinning through the last millisecond.
    const auto left_ms = static_cast<int>((deadline_ns - now_ns) / kNanosPerMilli + 1);
    const int ready = ::poll(&polled, 1, left_ms);
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

// Connecting blocks while the daemon's backlog is full, so the time limit is set on the socket.
std::optional<std::string> connect_to(const std::string& path, std::uint32_t timeout_ms,
                                      FileDescriptor& out) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fmt::format("a unix socket's path has 1 to {} characters", sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return errno_text(errno);
  const timeval limit{static_cast<time_t>(timeout_ms / 1000),
                      static_cast<suseconds_t>(timeout_ms % 1000 * 1000)};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    const bool nobody = error == ENOENT || error == ECONNREFUSED;
    return errno_text(error) + (nobody ? "; is binlaned running? (systemctl status binlaned)" : "");
  }
  out = std::move(socket);
  return std::nullopt;
}

AdminOutcome outcome_of(const std::string& line) {
  const json answer = json::parse(line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean())
    return AdminUnreachable{"the answer does not follow the admin protocol"};
  if (answer["ok"].get<bool>()) {
    const auto result = answer.find("result");
    return result == answer.end() ? json() : *result;
  }
  AdminError error{"", "the daemon gave no reason"};
  const auto found = answer.find("error");
  if (found != answer.end() && found->is_object()) {
    for (const auto& [name, text] :
         {std::pair{"field", &error.field}, {"message", &error.message}}) {
      const auto member = found->find(name);
      if (member != found->end() && member->is_string()) *text = member->get<std::string>();
    }
  }
  return error;
}

}  // namespace

AdminOutcome admin_request(const std::string& path, const json& request, std::uint32_t timeout_ms) {
  const std::uint64_t deadline_ns = monotonic_ns() + timeout_ms * kNanosPerMilli;
  FileDescriptor socket;
  if (const auto problem = connect_to(path, timeout_ms, socket))
    return AdminUnreachable{fmt::format("cannot connect to {}: {}", path, *problem)};
  const std::string line = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    if (const int error = wait_for(socket.get(), POLLOUT, deadline_ns); error != 0)
      return AdminUnreachable{fmt::format("cannot send to {}: {}", path, errno_text(error))};
    const ssize_t length =
        ::send(socket.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (length < 0 && errno != EAGAIN && errno != EINTR)
      return AdminUnreachable{fmt::format("cannot send to {}: {}", path, errno_text(errno))};
    if (length > 0) sent += static_cast<std::size_t>(length);
  }
  std::string answer;
  std::array<char, std::size_t{64} * 1024> buffer;
  while (answer.find('\n') == std::string::npos) {
    if (const int error = wait_for(socket.get(), POLLIN, deadline_ns); error != 0)
      return AdminUnreachable{fmt::format("no answer from {}: {}", path, errno_text(error))};
    const ssize_t length = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (length <= 0)
      return AdminUnreachable{fmt::format("{} closed the connection without an answer", path)};
    answer.append(buffer.data(), static_cast<std::size_t>(length));
    if (answer.size() > admin::kMaxResponseBytes)
      return AdminUnreachable{fmt::format("the answer from {} is too long", path)};
  }
  return outcome_of(answer.substr(0, answer.find('\n')));
}

}  // namespace binlane

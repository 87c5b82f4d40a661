#include "control/admin_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

namespace binlane {
namespace {

constexpr int kBacklog = 16;
constexpr mode_t kLockMode = 0600;
constexpr std::size_t kReadBytes = std::size_t{16} * 1024;
// A turn of the loop at least this often, so that deadlines are kept without a timer each.
constexpr int kTurnMs = 250;
// Connections accepted in one turn, so that a storm of them cannot starve those being served.
constexpr int kMaxAccepts = 16;
// Supplementary groups of a peer that are looked at; who has more is no operator by a group.
constexpr std::size_t kMaxPeerGroups = 256;

// A stale socket file goes away; anything else in its place stays and is an error.
void remove_stale_socket(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return;
    throw StartupError(fmt::format("admin socket {}: {}", path, errno_text(errno)));
  }
  if (!S_ISSOCK(facts.st_mode))
    throw StartupError(
        fmt::format("admin socket {}: there is a file that is no socket; remove it or choose "
                    "another path",
                    path));
  if (::unlink(path.c_str()) != 0)
    throw StartupError(
        fmt::format("admin socket {}: cannot remove the old one: {}", path, errno_text(errno)));
}

}  // namespace

AdminServer::AdminServer(std::string path, AdminLimits limits)
    : path_(std::move(path)), limits_(limits) {}

AdminServer::~AdminServer() {
  stop();
}

void AdminServer::on(std::string verb, AdminHandler handler, AdminRole role) {
  BL_ASSERT(!thread_.joinable());
  requests_.on(std::move(verb), std::move(handler), role);
}

void AdminServer::on_audit(AdminRequests::Audit audit) {
  BL_ASSERT(!thread_.joinable());
  requests_.on_audit(std::move(audit));
}

// The kernel's word for who is at the other end; whoever it says nothing about only reads.
AdminPeer AdminServer::peer_of(int socket) const {
  AdminPeer peer;
  peer.is_operator = false;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return peer;
  peer.pid = credentials.pid;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.is_operator = peer.uid == 0 || peer.uid == ::geteuid();
  if (peer.is_operator || !operator_group_) return peer;
  std::array<gid_t, kMaxPeerGroups> groups{};
  length = sizeof groups;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) length = 0;
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(length / sizeof(gid_t));
  peer.is_operator =
      peer.gid == *operator_group_ || std::find(groups.begin(), end, *operator_group_) != end;
  return peer;
}

void AdminServer::start() {
  BL_ASSERT(!thread_.joinable());
  open_socket();
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.is_open())
    throw StartupError(fmt::format("admin socket {}: {}", path_, errno_text(errno)));
  clients_.reserve(limits_.max_clients);
  thread_ = std::thread([this] { run(); });
}

void AdminServer::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  // An eventfd that is full is set already.
  [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
  clients_.clear();
  listener_.reset();
  ::unlink(path_.c_str());
  // The lock file stays: removing it would let two daemons hold locks on two files of one name.
  lock_.reset();
}

void AdminServer::open_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path)
    throw StartupError(fmt::format("admin socket {}: the path must have 1 to {} characters", path_,
                                   sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const std::string lock_path = path_ + ".lock";
  lock_.reset(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kLockMode));
  if (!lock_.is_open())
    throw StartupError(
        fmt::format("admin socket {}: cannot open {}: {}", path_, lock_path, errno_text(errno)));
  if (lock_exclusively(lock_.get()) != 0)
    throw StartupError(fmt::format("admin socket {}: another binlaned serves it", path_));
  remove_stale_socket(path_);
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode set before bind() is an upper bound for the file's from its first moment on.
  if (!listener_.is_open() || ::fchmod(listener_.get(), admin::kSocketMode) != 0 ||
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path_.c_str(), admin::kSocketMode) != 0 || ::listen(listener_.get(), kBacklog) != 0)
    throw StartupError(fmt::format("admin socket {}: {}", path_, errno_text(errno)));
}

void AdminServer::run() {
  ::pthread_setname_np(::pthread_self(), "bl-admin");
  const HeartbeatScope alive(heart_);
  std::vector<pollfd> polled;
  while (true) {
    still_alive();
    polled.assign({{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
    for (const Client& client : clients_) {
      const bool sending = client.sent < client.output.size();
      polled.push_back({client.socket.get(), static_cast<short>(sending ? POLLOUT : POLLIN), 0});
    }
    if (::poll(polled.data(), polled.size(), kTurnMs) < 0 && errno != EINTR) {
      log::error("admin_poll", "poll: {}; the admin socket is closed", errno_text(errno));
      return;
    }
    if (polled[0].revents != 0) return;
    const std::uint64_t now_ns = monotonic_ns();
    std::size_t index = 2;
    for (Client& client : clients_) {
      const short events = polled[index++].revents;
      bool keep = true;
      if ((events & POLLOUT) != 0) keep = write_to(client, now_ns) && serve(client, now_ns);
      if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && client.sent == client.output.size())
        keep = keep && read_from(client) && serve(client, now_ns);
      if ((events & (POLLERR | POLLNVAL)) != 0) keep = false;
      if (keep && now_ns >= client.deadline_ns) {
        keep = false;
        ++counters_.timed_out;
      }
      if (!keep) client.socket.reset();
    }
    std::erase_if(clients_, [](const Client& client) { return !client.socket.is_open(); });
    if ((polled[1].revents & POLLIN) != 0) accept_client(now_ns);
  }
}

void AdminServer::accept_client(std::uint64_t now_ns) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    FileDescriptor socket(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open()) return;  // nobody left, or no descriptors: a later turn tries again
    if (clients_.size() >= limits_.max_clients) {
      ++counters_.refused;
      const std::string text = admin_error_line("", "too many connections; try again later");
      [[maybe_unused]] const ssize_t ignored =
          ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      continue;
    }
    Client client;
    client.peer = peer_of(socket.get());
    client.socket = std::move(socket);
    client.deadline_ns = now_ns + limits_.client_timeout_ms * kNanosPerMilli;
    clients_.push_back(std::move(client));
    ++counters_.accepted;
  }
}

bool AdminServer::read_from(Client& client) {
  std::array<char, kReadBytes> buffer;
  const ssize_t length = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (length < 0) return errno == EAGAIN || errno == EINTR;
  if (length == 0) return false;
  if (!client.closing) client.input.append(buffer.data(), static_cast<std::size_t>(length));
  return true;
}

bool AdminServer::write_to(Client& client, std::uint64_t now_ns) {
  while (client.sent < client.output.size()) {
    const ssize_t length = ::send(client.socket.get(), client.output.data() + client.sent,
                                  client.output.size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(length);
  }
  client.output.clear();
  client.sent = 0;
  client.deadline_ns = now_ns + limits_.client_timeout_ms * kNanosPerMilli;
  return !client.closing;
}

bool AdminServer::serve(Client& client, std::uint64_t now_ns) {
  while (client.output.empty() && !client.closing) {
    const auto end = client.input.find('\n');
    const std::size_t length = end == std::string::npos ? client.input.size() : end + 1;
    const bool too_long = length > admin::kMaxRequestBytes;
    if (!too_long && end == std::string::npos) return true;
    AdminAnswer answer =
        too_long ? AdminRequests::too_long()
                 : requests_.answer(std::string_view(client.input).substr(0, end), client.peer);
    if (!too_long) client.input.erase(0, length);
    ++counters_.requests;
    if (answer.error) ++counters_.errors;
    client.output = std::move(answer.line);
    client.closing = answer.fatal;
    // The answer has a whole timeout of its own to be taken.
    client.deadline_ns = now_ns + limits_.client_timeout_ms * kNanosPerMilli;
    if (!write_to(client, now_ns)) return false;
  }
  return true;
}

}  // namespace binlane

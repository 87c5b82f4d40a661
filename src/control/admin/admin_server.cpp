#include "control/admin/admin_server.h"

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

constexpr int kBacklog = 128;
constexpr mode_t kLockMode = 0600;
constexpr std::size_t kReadBytes = std::size_t{16} * 1024;
// A turn of the loop comes at least this often, so that deadlines are kept without a timer for
// each.
constexpr int kTurnMs = 250;
// Connections accepted in one turn, so that many of them cannot starve those being served.
constexpr int kMaxAccepts = 16;
// While descriptors are short the listener is ignored for this long: it stays readable, and the
// loop would spin.
constexpr std::uint64_t kAcceptPauseMs = 100;
// How many supplementary groups of a peer are examined; a peer with more is no operator by a group.
constexpr std::size_t kMaxPeerGroups = 256;

// Removes a stale socket file; any other file in its place remains and is an error.
void remove_stale_socket(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return;
    throw StartupError(fmt::format("admin socket {}: {}", path, errno_text(errno)));
  }
  if (!S_ISSOCK(facts.st_mode))
    throw StartupError(
        fmt::format("admin socket {}: a file of that name exists and is not a socket; remove it or "
                    "choose another path",
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

void AdminServer::on(std::string verb, AdminHandler handler, AdminRole role, AdminPace pace) {
  BL_ASSERT(!thread_.joinable());
  requests_.on(std::move(verb), std::move(handler), role, pace);
}

void AdminServer::on_audit(AdminRequests::Audit audit) {
  BL_ASSERT(!thread_.joinable());
  requests_.on_audit(std::move(audit));
}

// What the kernel says about the process at the other end. A peer that it says nothing about has no
// rights.
AdminPeer AdminServer::peer_of(int socket, bool& may_look) const {
  AdminPeer peer;
  peer.is_operator = false;
  may_look = !view_group_;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return peer;
  peer.pid = credentials.pid;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.is_operator = peer.uid == 0 || peer.uid == ::geteuid();
  std::array<gid_t, kMaxPeerGroups> groups{};
  length = sizeof groups;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) length = 0;
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(length / sizeof(gid_t));
  const auto is_member = [&](const std::optional<gid_t>& group) {
    return group && (peer.gid == *group || std::find(groups.begin(), end, *group) != end);
  };
  peer.is_operator |= is_member(operator_group_);
  may_look |= peer.is_operator || is_member(view_group_);
  return peer;
}

void AdminServer::start() {
  BL_ASSERT(!thread_.joinable());
  open_socket();
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.is_open())
    throw StartupError(fmt::format("admin socket {}: {}", path_, errno_text(errno)));
  clients_.reserve(limits_.max_clients);
  stopping_ = false;
  worker_.emplace(requests_, wake_.get());
  worker_->start();
  thread_ = std::thread([this] { run(); });
}

void AdminServer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  const std::uint64_t one = 1;
  // An eventfd that is full is set already.
  [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
  worker_->stop();
  clients_.clear();
  listener_.reset();
  ::unlink(path_.c_str());
  // The lock file remains: removing it would let two daemons hold locks on two files of one name.
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
  // The mode set before bind() is an upper bound for the file's mode from its first moment on.
  if (!listener_.is_open() || ::fchmod(listener_.get(), admin::kSocketMode) != 0 ||
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path_.c_str(), admin::kSocketMode) != 0 || ::listen(listener_.get(), kBacklog) != 0)
    throw StartupError(fmt::format("admin socket {}: {}", path_, errno_text(errno)));
  give_socket_to_groups();
}

// Only a member may give a file to a group. If binlaned is no member, only root and its own user
// can connect, which is safe, and is reported.
void AdminServer::give_socket_to_groups() {
  if (view_group_) {
    if (::chmod(path_.c_str(), admin::kSocketModeForViewers) != 0)
      throw StartupError(fmt::format("admin socket {}: {}", path_, errno_text(errno)));
    return;
  }
  if (!operator_group_) return;
  if (::chown(path_.c_str(), static_cast<uid_t>(-1), *operator_group_) != 0)
    log::warning("admin_group",
                 "the socket {} cannot be given to admin_group: {}. Make the user that binlaned "
                 "runs as a member of that group",
                 path_, errno_text(errno));
}

void AdminServer::run() {
  ::pthread_setname_np(::pthread_self(), "bl-admin");
  const HeartbeatScope alive(heart_);
  std::vector<pollfd> polled;
  while (true) {
    const bool accepting = monotonic_ns() >= accept_again_ns_;
    // poll() skips a negative descriptor.
    still_alive();
    polled.assign({{wake_.get(), POLLIN, 0}, {accepting ? listener_.get() : -1, POLLIN, 0}});
    for (const Client& client : clients_) {
      const bool sending = client.sent < client.output.size();
      const short wanted = client.at_work ? 0 : sending ? POLLOUT : POLLIN;
      polled.push_back({client.socket.get(), wanted, 0});
    }
    const int timeout_ms = accepting ? kTurnMs : static_cast<int>(kAcceptPauseMs);
    if (::poll(polled.data(), polled.size(), timeout_ms) < 0 && errno != EINTR) {
      log::error("admin_poll", "poll: {}; the admin socket is closed", errno_text(errno));
      return;
    }
    if (stopping_) return;
    const std::uint64_t now_ns = monotonic_ns();
    std::size_t index = 2;
    for (Client& client : clients_) {
      const short events = polled[index++].revents;
      bool keep = true;
      if ((events & POLLOUT) != 0) keep = write_to(client, now_ns) && serve(client, now_ns);
      if (!client.at_work && (events & (POLLIN | POLLHUP | POLLERR)) != 0 &&
          client.sent == client.output.size())
        keep = keep && read_from(client, now_ns) && serve(client, now_ns);
      if ((events & (POLLERR | POLLNVAL)) != 0) keep = false;
      if (client.at_work && (events & POLLHUP) != 0) keep = false;
      if (keep && !client.at_work && now_ns >= client.deadline_ns) {
        keep = false;
        ++counters_.timed_out;
      }
      if (!keep) client.socket.reset();
    }
    if (polled[0].revents != 0) take_answers(now_ns);
    std::erase_if(clients_, [](const Client& client) { return !client.socket.is_open(); });
    if ((polled[1].revents & POLLIN) != 0) accept_clients(now_ns);
  }
}

void AdminServer::accept_clients(std::uint64_t now_ns) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    FileDescriptor socket(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open()) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        pause_accepting(errno, now_ns);
      return;
    }
    pause_logged_ = false;
    bool may_look = false;
    Client client;
    client.peer = peer_of(socket.get(), may_look);
    if (!may_look) {
      ++counters_.strangers;
      const std::string text = admin_error_line(
          "", fmt::format("user {} is not a member of admin_group or view_group", client.peer.uid));
      [[maybe_unused]] const ssize_t ignored =
          ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      continue;
    }
    if (!find_place(socket.get(), client.peer)) continue;
    client.id = ++last_id_;
    client.socket = std::move(socket);
    client.deadline_ns = now_ns + limits_.client_timeout_ms * kNanosPerMilli;
    client.active_ns = now_ns;
    clients_.push_back(std::move(client));
    ++counters_.accepted;
  }
}

// Once in each shortage, not once a turn.
void AdminServer::pause_accepting(int error, std::uint64_t now_ns) {
  accept_again_ns_ = now_ns + kAcceptPauseMs * kNanosPerMilli;
  ++counters_.pauses;
  if (pause_logged_) return;
  pause_logged_ = true;
  log::warning("admin_accept",
               "the admin socket cannot accept connections: {}. It is tried again every {} ms",
               errno_text(error), kAcceptPauseMs);
}

bool AdminServer::find_place(int socket, const AdminPeer& peer) {
  const auto operators = static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(),
                    [](const Client& client) { return client.peer.is_operator; }));
  const std::size_t readers = clients_.size() - operators;
  const std::size_t reserved = std::min(limits_.operator_places, limits_.max_clients - 1);
  const bool full = clients_.size() >= limits_.max_clients;
  const bool there_is_one =
      peer.is_operator ? !full || make_room() : !full && readers < limits_.max_clients - reserved;
  if (there_is_one) return true;
  ++counters_.refused;
  const std::string text = admin_error_line("", "too many connections; try again later");
  [[maybe_unused]] const ssize_t ignored = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
  return false;
}

// Makes room for one operator: the reader that has been idle the longest is disconnected, or, if
// there is none, the operator that has. A client that is being served remains.
bool AdminServer::make_room() {
  const auto before = [](const Client& a, const Client& b) {
    if (a.idle() != b.idle()) return a.idle();
    if (a.peer.is_operator != b.peer.is_operator) return b.peer.is_operator;
    return a.active_ns < b.active_ns;
  };
  const auto victim = std::min_element(clients_.begin(), clients_.end(), before);
  if (victim == clients_.end() || (!victim->idle() && victim->peer.is_operator)) return false;
  ++counters_.made_room;
  clients_.erase(victim);
  return true;
}

// What the other thread has computed. The client may have disconnected meanwhile.
void AdminServer::take_answers(std::uint64_t now_ns) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(wake_.get(), &count, sizeof count);
  for (AdminWorker::Done& done : worker_->take()) {
    const auto client = std::find_if(clients_.begin(), clients_.end(), [&](const Client& one) {
      return one.id == done.client && one.socket.is_open();
    });
    if (client == clients_.end()) continue;
    client->at_work = false;
    put_answer(*client, std::move(done.answer), now_ns);
    if (!write_to(*client, now_ns) || !serve(*client, now_ns)) client->socket.reset();
  }
}

bool AdminServer::read_from(Client& client, std::uint64_t now_ns) {
  std::array<char, kReadBytes> buffer;
  const ssize_t length = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (length < 0) return errno == EAGAIN || errno == EINTR;
  if (length == 0) return false;
  client.active_ns = now_ns;
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
  client.active_ns = now_ns;
  return !client.closing;
}

bool AdminServer::serve(Client& client, std::uint64_t now_ns) {
  while (client.output.empty() && !client.closing && !client.at_work) {
    const auto end = client.input.find('\n');
    const std::size_t length = end == std::string::npos ? client.input.size() : end + 1;
    const bool too_long = length > admin::kMaxRequestBytes;
    if (!too_long && end == std::string::npos) return true;
    const std::string line = client.input.substr(0, end);
    if (!too_long) client.input.erase(0, length);
    if (!too_long && requests_.takes_long(line)) {
      client.at_work = true;
      worker_->add(client.id, line, client.peer);
      return true;
    }
    put_answer(client, too_long ? AdminRequests::too_long() : requests_.answer(line, client.peer),
               now_ns);
    if (!write_to(client, now_ns)) return false;
  }
  return true;
}

// The client has a whole timeout of its own to read it.
void AdminServer::put_answer(Client& client, AdminAnswer answer, std::uint64_t now_ns) {
  ++counters_.requests;
  if (answer.error) ++counters_.errors;
  client.output = std::move(answer.line);
  client.closing = answer.fatal;
  client.deadline_ns = now_ns + limits_.client_timeout_ms * kNanosPerMilli;
}

}  // namespace binlane

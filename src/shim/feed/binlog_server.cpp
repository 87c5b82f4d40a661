#include "shim/feed/binlog_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "base/wire_log.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_session.h"

namespace binlane {
namespace {

constexpr std::uint16_t kTooManyConnections = 1040;
constexpr int kBacklog = 16;
// Connections that were ended, and whose threads have not noticed yet.
constexpr std::uint32_t kMaxEnding = 64;
// How often ended connections are cleared away while no new one comes.
constexpr int kReapIntervalMs = 200;
// A pause after accept(2) failed for want of descriptors or memory.
constexpr int kAcceptPauseMs = 100;

struct HostAndPort {
  std::string host;
  std::string port;  // empty: no port
};

HostAndPort split_address(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return {address, {}};
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, address.substr(colon + 1)};
}

std::string address_text(const sockaddr_storage& address, socklen_t length, bool with_port) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  const int failed =
      getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host.data(), host.size(),
                  port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
  if (failed != 0) return "unknown";
  if (!with_port) return host.data();
  if (address.ss_family == AF_INET6) return fmt::format("[{}]:{}", host.data(), port.data());
  return fmt::format("{}:{}", host.data(), port.data());
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

// Makes `listener` a bound and listening socket. Returns nothing, or why there is none.
std::string listen_at(const FeedOptions& options, OwnedFile& listener) {
  const HostAndPort place = split_address(options.listen);
  if (place.port.empty())
    return fmt::format("feed_listen = \"{}\": expected an address and a port, as 127.0.0.1:3401",
                       options.listen);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* all = nullptr;
  const int failed = getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &all);
  if (failed != 0)
    return fmt::format("feed_listen = \"{}\": {}; give a numeric address and port", options.listen,
                       gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(all, &freeaddrinfo);
  const bool loopback = is_loopback(found->ai_addr);
  if (!loopback && options.password.empty())
    return fmt::format(
        "feed_listen = \"{}\" is not on loopback, and feed_password is empty: everybody could read "
        "the data; set a password",
        options.listen);
  OwnedFile made(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!made.is_open() || setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(made.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(made.get(), kBacklog) != 0)
    return fmt::format("feed_listen = \"{}\": cannot listen: {}", options.listen,
                       errno_text(errno));
  if (!loopback)
    log::warning("feed_listen", "the feed listens at {}: events travel there unencrypted",
                 options.listen);
  listener = std::move(made);
  return {};
}

}  // namespace

class BinlogServer::Implementation {
 public:
  Implementation(FeedOptions options, FeedLimit& limit)
      : options_(std::move(options)),
        shared_{.options = options_,
                .limit = limit,
                .counters = counters_,
                .restarts = restarts_,
                .supersede = [this](const FeedClient& client) { supersede(client); },
                .kill = [this](std::uint64_t id) { return kill(id); },
                .started_ns = monotonic_ns()} {
    BL_ASSERT(options_.basename != nullptr);
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { stop(); }

  std::string start() {
    BL_ASSERT(!acceptor_.joinable());
    std::string problem = try_to_start();
    if (!problem.empty()) listener_ = OwnedFile();
    const std::lock_guard lock(mutex_);
    problem_ = problem;
    return problem;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      problem_.clear();
    }
    if (!acceptor_.joinable()) return;
    stopping_ = true;
    const std::uint64_t one = 1;
    BL_ASSERT(write(wake_.get(), &one, sizeof one) == sizeof one);
    acceptor_.join();
    // No thread adds connections any more.
    {
      const std::lock_guard lock(mutex_);
      for (Connection& connection : connections_) connection.client.socket.end();
    }
    for (Connection& connection : connections_) connection.thread.join();
    const std::lock_guard lock(mutex_);
    connections_.clear();
    listener_ = OwnedFile();
    listening_.clear();
    wake_ = OwnedFile();
    port_ = 0;
  }

  FeedStatus status() const {
    FeedStatus status;
    {
      const std::lock_guard lock(mutex_);
      status.listening = listening_;
      status.problem = problem_;
      for (const Connection& connection : connections_) {
        const FeedClient& client = connection.client;
        if (!client.done && !client.socket.ended()) status.clients.push_back(client.status());
      }
    }
    status.accepted = counters_.accepted;
    status.refused_full = counters_.refused_full;
    status.refused_logins = counters_.refused_logins;
    status.dropped_logins = counters_.dropped_logins;
    status.dumps = counters_.dumps;
    status.refused_dumps = counters_.refused_dumps;
    status.stalled_clients = counters_.stalled_clients;
    status.broken_clients = counters_.broken_clients;
    status.superseded = counters_.superseded;
    status.restarts = counters_.restarts;
    status.heartbeats = counters_.heartbeats;
    status.events = counters_.events;
    status.bytes = counters_.bytes;
    status.last_error = counters_.last_error();
    status.gap = counters_.gap();
    return status;
  }

  std::uint16_t port() const noexcept { return port_; }

 private:
  std::string try_to_start() {
    if (std::string problem = listen_at(options_, listener_); !problem.empty()) return problem;
    if (!wake_.is_open()) wake_ = OwnedFile(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.is_open()) return "the feed: eventfd: " + errno_text(errno);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    BL_ASSERT(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    stopping_ = false;
    if (const std::string problem = start_thread(acceptor_, [this] { accept_clients(); });
        !problem.empty())
      return "the feed: " + problem;
    port_ = ntohs(address.ss_family == AF_INET6
                      ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                      : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
    const std::string shown = address_text(address, length, true);
    log::info("feed_listen", "the feed listens at {}", shown);
    const std::lock_guard lock(mutex_);
    listening_ = shown;
    return {};
  }

  struct Connection {
    Connection(std::uint64_t id, std::string address, int descriptor, bool is_local)
        : client(id, std::move(address), descriptor, is_local) {}
    FeedClient client;
    std::thread thread;
  };

  void accept_clients() {
    while (!stopping_) {
      std::array<pollfd, 2> waited{pollfd{listener_.get(), POLLIN, 0},
                                   pollfd{wake_.get(), POLLIN, 0}};
      poll(waited.data(), waited.size(), kReapIntervalMs);
      reap();
      if ((waited[0].revents & POLLIN) != 0)
        accept_one();
      else
        show_problem({});  // nobody waits to connect
    }
  }

  void accept_one() {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int descriptor =
        accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        show_problem("the feed cannot accept a connection: " + errno_text(errno));
        pollfd wake{wake_.get(), POLLIN, 0};
        poll(&wake, 1, kAcceptPauseMs);
      }
      return;
    }
    ++counters_.accepted;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    problem_.clear();
    if (!make_room()) {
      ++counters_.refused_full;
      refuse(descriptor);
      return;
    }
    Connection& connection =
        connections_.emplace_back(++last_id_, address_text(address, length, false), descriptor,
                                  is_loopback(reinterpret_cast<const sockaddr*>(&address)));
    if (const std::string problem =
            start_thread(connection.thread, [this, &connection] { serve(connection); });
        !problem.empty()) {
      log::limited(log::Level::warning, "feed_accept", {}, "{}", problem);
      ++counters_.refused_full;
      connections_.pop_back();
    }
  }

  void show_problem(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (!problem.empty() && problem != problem_)
      log::limited(log::Level::warning, "feed_accept", {}, "{}", problem);
    problem_ = problem;
  }

  // Whether one more connection may try to log in. Only connections that have logged in count as
  // clients. So that strangers cannot keep clients out, a new connection replaces the stranger that
  // has waited longest. The caller holds the mutex.
  bool make_room() {
    std::uint32_t clients = 0;
    std::uint32_t strangers = 0;
    FeedClient* oldest = nullptr;
    for (Connection& connection : connections_) {
      FeedClient& client = connection.client;
      if (client.done || client.socket.ended()) continue;
      if (client.logged_in) {
        ++clients;
        continue;
      }
      ++strangers;
      if (oldest == nullptr) oldest = &client;
    }
    if (clients >= options_.max_clients) return false;
    if (strangers >= FeedOptions::kMaxStrangers) {
      ++counters_.dropped_logins;
      oldest->socket.end();
    }
    // Those that were ended and whose threads have not noticed yet are bounded, too.
    return connections_.size() < options_.max_clients + std::size_t{kMaxEnding};
  }

  // Too many are connected: the reason is sent if it fits into the socket's buffer, and it does.
  static void refuse(int descriptor) {
    mysql::Payload framed;
    std::uint8_t sequence = 0;
    mysql::append_framed(framed,
                         mysql::build_error({kTooManyConnections, "08004", "Too many connections"}),
                         sequence);
    if (send(descriptor, framed.data(), framed.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      log::debug("feed_accept", "a refused client left before it was told the reason");
    }
    close(descriptor);
  }

  void serve(Connection& connection) {
    FeedSession(connection.client, shared_).run();
    // The peer sees the end now; the descriptor lives until the connection is cleared away.
    connection.client.socket.end();
    connection.client.done = true;
  }

  void reap() {
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
      if (!it->client.done) {
        ++it;
        continue;
      }
      it->thread.join();
      it = connections_.erase(it);
    }
  }

  void supersede(const FeedClient& client) {
    const std::lock_guard lock(mutex_);
    for (Connection& connection : connections_) {
      FeedClient& other = connection.client;
      if (&other == &client || !other.dumping || other.server_id != client.server_id) continue;
      ++counters_.superseded;
      log::warning("feed_superseded", "a newer dump of replica {} ends the one from {}",
                   client.server_id.load(), other.address);
      other.superseded = true;
    }
  }

  bool kill(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    for (Connection& connection : connections_) {
      if (connection.client.id != id || connection.client.done) continue;
      connection.client.socket.end();
      return true;
    }
    return false;
  }

  const FeedOptions options_;
  FeedCounters counters_;
  SourceRestarts restarts_;
  const FeedShared shared_;
  OwnedFile listener_;
  OwnedFile wake_;
  std::atomic<std::uint16_t> port_{0};
  std::atomic<bool> stopping_{false};
  std::thread acceptor_;
  std::uint64_t last_id_ = 0;  // the accepting thread's

  mutable std::mutex mutex_;  // guards what follows; the threads join without it
  std::string listening_;
  std::string problem_;  // why it does not listen, or accepts nobody
  std::list<Connection> connections_;
};

BinlogServer::BinlogServer(FeedOptions options, FeedLimit& limit)
    : implementation_(std::make_unique<Implementation>(std::move(options), limit)) {}

BinlogServer::~BinlogServer() = default;

std::string BinlogServer::start() {
  return implementation_->start();
}

void BinlogServer::stop() {
  implementation_->stop();
}

FeedStatus BinlogServer::status() const {
  return implementation_->status();
}

std::uint16_t BinlogServer::port() const noexcept {
  return implementation_->port();
}

}  // namespace binlane

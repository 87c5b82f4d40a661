#include "control/status/metrics_endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/status/http_head.h"
#include "control/status/metrics.h"
#include "control/status/metrics_protobuf.h"

namespace binlane {
namespace {

constexpr const char* kPath = "/metrics";
constexpr const char* kTextContentType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr int kBacklog = 64;
constexpr int kMaxAccepts = 16;
// At this pace deadlines are kept without a timer for each, and a shortage of descriptors does not
// make the loop spin.
constexpr int kTurnMs = 100;

// The address of a `listen` that the configuration has already checked.
bool parse_listen(const std::string& listen, sockaddr_in& address) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return false;
  std::uint16_t port = 0;
  const char* const end = listen.data() + listen.size();
  if (std::from_chars(listen.data() + colon + 1, end, port).ptr != end) return false;
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::inet_pton(AF_INET, listen.substr(0, colon).c_str(), &address.sin_addr) == 1;
}

}  // namespace

MetricsEndpoint::MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status)
    : status_(std::move(status)) {
  sockaddr_in address{};
  if (!parse_listen(listen, address))
    throw StartupError(fmt::format("metrics_listen {}: not an address and port", listen));
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int on = 1;
  socklen_t length = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (!wake_.is_open() || !listener_.is_open() ||
      ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener_.get(), raw, length) != 0 || ::listen(listener_.get(), kBacklog) != 0 ||
      ::getsockname(listener_.get(), raw, &length) != 0)
    throw StartupError(
        fmt::format("metrics_listen {}: cannot listen there: {}", listen, errno_text(errno)));
  port_ = ntohs(address.sin_port);
  clients_.reserve(kMaxClients);
  thread_ = std::thread([this] { run(); });
}

MetricsEndpoint::~MetricsEndpoint() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void MetricsEndpoint::run() {
  ::pthread_setname_np(::pthread_self(), "bl-metrics");
  std::vector<pollfd> polled;
  for (;;) {
    const bool accepting = monotonic_ns() >= accept_again_ns_;
    polled.assign({{wake_.get(), POLLIN, 0}, {accepting ? listener_.get() : -1, POLLIN, 0}});
    for (const Client& client : clients_)
      polled.push_back(
          {client.socket.get(), static_cast<short>(client.output.empty() ? POLLIN : POLLOUT), 0});
    if (::poll(polled.data(), polled.size(), kTurnMs) < 0 && errno != EINTR) {
      log::error("metrics_poll", "poll: {}; the metrics endpoint is closed", errno_text(errno));
      return;
    }
    if (polled[0].revents != 0) return;
    const std::uint64_t now_ns = monotonic_ns();
    std::size_t index = 2;
    for (Client& client : clients_) {
      const bool asked = polled[index++].revents != 0;
      const bool late = now_ns >= client.deadline_ns;
      if (late) dropped_.fetch_add(1, std::memory_order_relaxed);
      if (late || (asked && !serve(client, now_ns))) client.socket.reset();
    }
    std::erase_if(clients_, [](const Client& client) { return !client.socket.is_open(); });
    if (polled[1].revents != 0) accept_clients(now_ns);
  }
}

void MetricsEndpoint::accept_clients(std::uint64_t now_ns) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    Client client;
    client.socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.socket.is_open()) {
      // Out of descriptors: the listener stays readable, so it is ignored for a turn.
      if (errno != EAGAIN) accept_again_ns_ = now_ns + kTurnMs * kNanosPerMilli;
      return;
    }
    client.deadline_ns = now_ns + kClientTimeoutMs * kNanosPerMilli;
    if (clients_.size() == kMaxClients) {
      clients_.erase(clients_.begin());
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    clients_.push_back(std::move(client));
  }
}

bool MetricsEndpoint::serve(Client& client, std::uint64_t now_ns) {
  if (client.output.empty()) {
    std::array<char, kMaxRequestBytes> buffer;
    const ssize_t length =
        ::recv(client.socket.get(), buffer.data(), kMaxRequestBytes - client.input.size(), 0);
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    if (length == 0) return false;
    client.input.append(buffer.data(), static_cast<std::size_t>(length));
    const auto end = client.input.find(kHeadEnd);
    if (end != std::string::npos)
      client.output = answer(std::string_view(client.input).substr(0, end), now_ns);
    else if (client.input.size() == kMaxRequestBytes)
      client.output = http_answer(431, "Request Header Fields Too Large", kPlain, "");
    else
      return true;
  }
  const ssize_t sent = ::send(client.socket.get(), client.output.data() + client.sent,
                              client.output.size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  client.sent += static_cast<std::size_t>(sent);
  return client.sent < client.output.size();
}

std::string MetricsEndpoint::answer(std::string_view head, std::uint64_t now_ns) {
  const auto request = parse_http_head(head);
  if (!request) return http_answer(400, "Bad Request", kPlain, "");
  if (request->path != kPath) return http_answer(404, "Not Found", kPlain, "see /metrics\n");
  if (request->method != "GET") return http_answer(405, "Method Not Allowed", kPlain, "");
  const bool protobuf = accepts_protobuf(request->accept.c_str());
  return http_answer(200, "OK", protobuf ? kProtobufContentType : kTextContentType,
                     page(protobuf, now_ns));
}

const std::string& MetricsEndpoint::page(bool protobuf, std::uint64_t now_ns) {
  Page& page = protobuf ? protobuf_ : text_;
  if (page.made_ns == 0 || now_ns - page.made_ns >= kFreshMs * kNanosPerMilli) {
    page.body = protobuf ? metrics_protobuf(status_()) : metrics_text(status_());
    page.made_ns = now_ns;
  }
  return page.body;
}

}  // namespace binlane

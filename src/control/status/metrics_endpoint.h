// MetricsEndpoint: serves the metrics over HTTP for Prometheus, as text, or as protobuf to a client
// that asks for it. It answers GET /metrics and nothing else.
//
// One thread with one poll loop. Everything that a client can do is bounded: the length of a
// request, the number of connections, and the time from the connection to the end of its answer.
// When all places are taken the oldest connection makes room, so that clients which send half a
// request and wait cannot keep a scrape out. The metrics are computed at most once in kFreshMs,
// however often they are asked for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/file_util.h"

namespace binlane {

class MetricsEndpoint {
 public:
  static constexpr std::size_t kMaxClients = 16;
  static constexpr std::size_t kMaxRequestBytes = 4096;
  static constexpr std::uint64_t kClientTimeoutMs = 2000;
  static constexpr std::uint64_t kFreshMs = 100;

  // `listen`: address:port; port 0 is any free one. `status` is called on the endpoint's thread.
  // Throws StartupError.
  MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  // Connections that made room or ran out of time.
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Client {
    FileDescriptor socket;
    std::string input;
    std::string output;
    std::size_t sent = 0;
    std::uint64_t deadline_ns = 0;
  };
  struct Page {
    std::string body;
    std::uint64_t made_ns = 0;  // 0: never
  };

  void run();
  void accept_clients(std::uint64_t now_ns);
  // Returns false if the client has to be dropped.
  bool serve(Client& client, std::uint64_t now_ns);
  std::string answer(std::string_view head, std::uint64_t now_ns);
  const std::string& page(bool protobuf, std::uint64_t now_ns);

  std::function<nlohmann::json()> status_;
  FileDescriptor listener_;
  FileDescriptor wake_;  // eventfd
  std::uint16_t port_ = 0;
  std::vector<Client> clients_;  // the oldest first
  std::uint64_t accept_again_ns_ = 0;
  Page text_;
  Page protobuf_;
  std::atomic<std::uint64_t> dropped_{0};
  std::thread thread_;
};

}  // namespace binlane

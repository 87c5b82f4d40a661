// The metrics endpoint beside clients that send half a request, too much, or nothing.
#include "control/status/metrics_endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/status/http_head.h"

namespace binlane {
namespace {

constexpr int kPatienceMs = 20'000;

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  void send(const std::string& text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Everything until the server closes.
  std::string rest() {
    std::string all;
    pollfd polled{socket_.get(), POLLIN, 0};
    char buffer[4096];
    while (::poll(&polled, 1, kPatienceMs) > 0) {
      const ssize_t length = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (length <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(length));
    }
    ADD_FAILURE() << "the server did not close the connection";
    return all;
  }

 private:
  FileDescriptor socket_;
};

class MetricsEndpointTest : public ::testing::Test {
 protected:
  std::string get(const std::string& path, const std::string& method = "GET") {
    HttpClient client(endpoint_.port());
    client.send(fmt::format("{} {} HTTP/1.1\r\nHost: x\r\n\r\n", method, path));
    return client.rest();
  }
  std::atomic<int> asked_{0};
  MetricsEndpoint endpoint_{"127.0.0.1:0", [this] {
                              ++asked_;
                              return nlohmann::json{{"name", "a"}, {"lane_turns", 7}};
                            }};
};

TEST_F(MetricsEndpointTest, ServesOnePageAndNothingElse) {
  const std::string page = get("/metrics");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200 OK\r\n")) << page;
  EXPECT_NE(page.find("binlane_"), std::string::npos);
  EXPECT_TRUE(get("/metrics?x=1").starts_with("HTTP/1.1 200 "));
  for (const char* path : {"/", "/x/..", "/metrics/", "/metrics/..", "/x", "//metrics", "*"})
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 404 ")) << path;
  EXPECT_TRUE(get("/metrics", "POST").starts_with("HTTP/1.1 405 "));
  HttpClient garbage(endpoint_.port());
  garbage.send("hello\r\n\r\n");
  EXPECT_TRUE(garbage.rest().starts_with("HTTP/1.1 400 "));
}

TEST_F(MetricsEndpointTest, AProtobufClientGetsIt) {
  HttpClient client(endpoint_.port());
  client.send(
      "GET /metrics HTTP/1.1\r\nACCEPT: application/vnd.google.protobuf; "
      "proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n\r\n");
  EXPECT_NE(client.rest().find("Content-Type: application/vnd.google.protobuf"), std::string::npos);
}

TEST_F(MetricsEndpointTest, AScrapeBesideHalfSentRequests) {
  std::vector<std::unique_ptr<HttpClient>> others;
  for (std::size_t i = 0; i < 4 * MetricsEndpoint::kMaxClients; ++i) {
    others.push_back(std::make_unique<HttpClient>(endpoint_.port()));
    others.back()->send("GET /metrics HTTP/1.1\r\nHost:");
  }
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 200 "));
  // A client without a place, and one that says nothing more, is closed.
  EXPECT_EQ(others.front()->rest(), "");
  EXPECT_EQ(others.back()->rest(), "");
  EXPECT_GE(endpoint_.dropped(), 3 * MetricsEndpoint::kMaxClients);
}

TEST_F(MetricsEndpointTest, AnEndlessRequestIsRefused) {
  HttpClient client(endpoint_.port());
  client.send(std::string(MetricsEndpoint::kMaxRequestBytes, 'x'));
  EXPECT_TRUE(client.rest().starts_with("HTTP/1.1 431 "));
}

TEST_F(MetricsEndpointTest, AskingOftenDoesNotWorkItOutOften) {
  const std::uint64_t begun_ns = monotonic_ns();
  int gets = 0;
  while (monotonic_ns() - begun_ns < 3 * MetricsEndpoint::kFreshMs * kNanosPerMilli || gets < 10) {
    get("/metrics");
    ++gets;
  }
  const std::uint64_t lasted_ms = (monotonic_ns() - begun_ns) / kNanosPerMilli;
  EXPECT_LE(static_cast<std::uint64_t>(asked_), lasted_ms / MetricsEndpoint::kFreshMs + 1);
}

TEST(MetricsEndpoint, AnAddressInUseIsSaid) {
  MetricsEndpoint first("127.0.0.1:0", [] { return nlohmann::json::object(); });
  EXPECT_THROW(MetricsEndpoint(fmt::format("127.0.0.1:{}", first.port()),
                               [] { return nlohmann::json::object(); }),
               StartupError);
}

TEST(HttpHead, AcceptMayBeInSeveralLinesAndAnyCase) {
  const auto head = parse_http_head("GET /m?q HTTP/1.1\r\naccept: a\r\nHost: b\r\nAccept:c");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->path, "/m");
  EXPECT_EQ(head->accept, " a,c");
  for (const char* bad : {"", "GET", "GET /", "GET / HTTP/2.0", " / HTTP/1.1", "GET  HTTP/1.1"})
    EXPECT_FALSE(parse_http_head(bad)) << bad;
}

}  // namespace
}  // namespace binlane

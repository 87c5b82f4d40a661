// LoginProbe against a server that knows one password: the feed, which speaks the same protocol.
// The feed knows no account's privileges, so an account that logs in gets another answer than one
// that may not; the system test `said` covers what a real server answers.
#include "control/source/login_probe.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <memory>
#include <thread>

#include "support/scarcity.h"
#include "support/temporary_directory.h"
#include "unit/shim/feed/feed_test_client.h"

namespace binlane {
namespace {

// Passes on, one connection after the other, what comes through a unix socket to a TCP port.
class Relay {
 public:
  Relay(const std::string& path, std::uint16_t port)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(port) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  int connections() const { return connections_; }

 private:
  void run() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      ++connections_;
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port_);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
      std::array<pollfd, 2> ends{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
      while (::poll(ends.data(), ends.size(), test::kPatienceMs) > 0) {
        const std::size_t from = ends[0].revents != 0 ? 0 : 1;
        std::array<char, 4096> bytes{};
        const ssize_t count = ::recv(ends[from].fd, bytes.data(), bytes.size(), 0);
        if (count <= 0) break;
        ::send(ends[1 - from].fd, bytes.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
      }
      ::close(server);
      ::close(client);
    }
  }

  const int listener_;
  const std::uint16_t port_;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

class LoginProbeTest : public test::FeedTest {
 protected:
  LoginProbe& probe(const std::string& password) {
    ServerAccount account;
    account.socket = socket_.file("s");
    account.user = "feed";
    account.password = Secret(password);
    return *(probe_ = std::make_unique<LoginProbe>(account));
  }
  // Tries a login, and waits for its result.
  void poll() {
    now_ns_ += LoginProbe::kEveryNs;
    probe_->poll(now_ns_);
  }

  TemporaryDirectory socket_;
  std::unique_ptr<LoginProbe> probe_;
  std::uint64_t now_ns_ = 1;
};

// No server answers: other parts notice that.
TEST_F(LoginProbeTest, OnlyTheServersRefusalCounts) {
  probe("secret");
  for (int i = 0; i < 100; ++i) {
    poll();
    EXPECT_EQ(probe_->problem(), "");
  }
}

TEST_F(LoginProbeTest, ARefusalStaysUntilALoginSucceeds) {
  FeedOptions locked = options();
  locked.password = Secret("changed");
  auto server = std::make_unique<BinlogServer>(locked, limit_);
  ASSERT_EQ(server->start(), "");
  probe("secret");
  {
    const Relay relay(socket_.file("s"), server->port());
    wait_for([&] {
      poll();
      return probe_->problem().find("1045") != std::string::npos;
    });
  }
  // The account never could log in, so it has lost nothing.
  EXPECT_EQ(probe_->problem().find("our account cannot log in to the server"), 0U)
      << probe_->problem();
  // The server is gone: its last answer still holds.
  poll();
  EXPECT_NE(probe_->problem(), "");
  ASSERT_EQ(::unlink(socket_.file("s").c_str()), 0);
  server = std::make_unique<BinlogServer>(options(), limit_);
  ASSERT_EQ(server->start(), "");
  const Relay relay(socket_.file("s"), server->port());
  wait_for([&] {
    poll();
    return probe_->problem().find("1045") == std::string::npos;
  });
}

TEST_F(LoginProbeTest, LooksNoMoreOftenThanItShould) {
  BinlogServer server(options(), limit_);
  ASSERT_EQ(server.start(), "");
  const Relay relay(socket_.file("s"), server.port());
  probe("secret").poll(1);
  wait_for([&] { return relay.connections() == 1; });
  for (int i = 0; i < 1000; ++i) probe_->poll(LoginProbe::kEveryNs - 1);
  EXPECT_EQ(relay.connections(), 1);
}

TEST_F(LoginProbeTest, WithoutAThreadItLooksTheNextTime) {
  BinlogServer server(options(), limit_);
  ASSERT_EQ(server.start(), "");
  const Relay relay(socket_.file("s"), server.port());
  probe("wrong");
  {
    const NoThreads none;
    poll();
  }
  wait_for([&] {
    poll();
    return !probe_->problem().empty();
  });
}

}  // namespace
}  // namespace binlane

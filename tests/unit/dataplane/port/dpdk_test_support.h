// What the tests of DPDK ports share: EAL in this process, port_peer processes that are killed at
// will, and bounded waiting. Include once per test program: it holds main().
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/port/dpdk_port.h"
#include "dataplane/port/eal.h"

namespace binlane {

inline constexpr std::uint64_t kBoundNs = 30 * kNanosPerSecond;
inline constexpr Endpoint kLocal{0xc6120001, 7100};
inline constexpr Endpoint kPeer{0xc6120002, 7200};

inline std::string folder;  // of this run: sockets and EAL's runtime files

template <class Condition>
bool wait_for(Condition condition) {
  const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
  while (!condition()) {
    if (monotonic_ns() > end_ns) return false;
    ::sched_yield();
  }
  return true;
}

inline PortConfig config_for(const std::string& spec, const Endpoint& local, PortSide side,
                             std::uint32_t mtu = kDefaultMtu) {
  PortConfig config;
  config.spec = parse_port_spec(spec);
  config.local = local;
  config.side = side;
  config.mtu = mtu;
  return config;
}

// A port_peer process; killed at the latest with this object.
class Peer {
 public:
  Peer(const std::string& spec, PortSide side, std::uint32_t mtu = kDefaultMtu,
       const std::vector<std::string>& eal_arguments = {}) {
    std::vector<std::string> arguments = {program(),
                                          spec,
                                          side == PortSide::source ? "source" : "replica",
                                          std::to_string(kPeer.ipv4),
                                          std::to_string(kPeer.udp_port),
                                          std::to_string(mtu)};
    arguments.insert(arguments.end(), eal_arguments.begin(), eal_arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    log_path_ = fmt::format("{}/peer-{}.log", folder, ++count_);
    const int log = ::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(log, STDOUT_FILENO);
      ::dup2(log, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(log);
  }
  ~Peer() { kill(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Without waiting for its end, which takes a while: the lane must go on.
  void signal() { ::kill(pid_, SIGKILL); }

  void kill() {
    if (pid_ <= 0) return;
    signal();
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  // Waits for the process's own end.
  int exit_code() {
    int status = 0;
    const bool ended = wait_for([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!ended) return -1;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string log() const {
    std::string text;
    if (FILE* file = std::fopen(log_path_.c_str(), "r")) {
      char chunk[4096];
      std::size_t size = 0;
      while ((size = std::fread(chunk, 1, sizeof chunk, file)) > 0) text.append(chunk, size);
      std::fclose(file);
    }
    return text;
  }

 private:
  static std::string program() {
    if (const char* path = std::getenv("BINLANE_PORT_PEER")) return path;
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "port_peer";
  }

  static inline int count_ = 0;
  pid_t pid_ = 0;
  std::string log_path_;
};

// Sends numbered datagrams to the peer and checks what comes back.
class Pinger {
 public:
  explicit Pinger(DpdkPort& port) : port_(port) {}

  bool send(std::uint32_t length) {
    BL_ASSERT(length >= sizeof(std::uint64_t));
    const MutableBytes buffer = port_.tx_buffer();
    if (buffer.size() < length) {
      if (!buffer.empty()) port_.tx_commit(kPeer, 0);
      return false;
    }
    fill(buffer.first(length), next_);
    port_.tx_commit(kPeer, length);
    ++next_;
    return true;
  }

  std::size_t take() {
    std::size_t count = 0;
    for (const Datagram& datagram : port_.rx()) {
      ++count;
      EXPECT_EQ(datagram.from, kPeer);
      if (datagram.payload.size() < sizeof(std::uint64_t)) {
        ++damaged;
        continue;
      }
      std::uint64_t number = 0;
      std::memcpy(&number, datagram.payload.data(), sizeof number);
      const std::vector<std::byte>& expected = scratch_;
      scratch_.resize(datagram.payload.size());
      fill(scratch_, number);
      const bool same = std::equal(expected.begin(), expected.end(), datagram.payload.begin());
      if (same && number < next_) {
        echoed.insert(number);
      } else {
        ++damaged;
      }
    }
    return count;
  }

  // Until `wanted` further datagrams are back, one in flight, sent again after a while.
  bool echo(std::size_t wanted, std::uint32_t length) {
    for (std::size_t done = 0; done < wanted; ++done) {
      const std::size_t before = echoed.size();
      std::uint64_t again_ns = 0;
      const bool back = wait_for([&] {
        const std::uint64_t now_ns = monotonic_ns();
        if (now_ns >= again_ns) {
          send(length);
          again_ns = now_ns + 20 * kNanosPerMilli;
        }
        port_.flush();
        take();
        return echoed.size() > before;
      });
      if (!back) return false;
    }
    return true;
  }

  std::uint64_t sent() const { return next_; }

  std::set<std::uint64_t> echoed;
  std::uint64_t damaged = 0;

 private:
  static void fill(MutableBytes bytes, std::uint64_t number) {
    for (std::size_t index = 0; index < bytes.size(); ++index) {
      bytes[index] = static_cast<std::byte>(number * 31 + index);
    }
    std::memcpy(bytes.data(), &number, sizeof number);
  }

  DpdkPort& port_;
  std::uint64_t next_ = 0;
  std::vector<std::byte> scratch_;
};

class DpdkEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    std::string made = "/tmp/binlane-port-test-XXXXXX";
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder = made;
    EalConfig config;
    config.name = "port-test";
    config.runtime_dir = folder + "/run";
    config.arguments = {"--no-huge", "-m", "256"};  // for all the ports of all the tests
    eal_start(config);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
};

}  // namespace binlane

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new binlane::DpdkEnvironment);
  const int code = RUN_ALL_TESTS();
  std::fflush(nullptr);
  ::_exit(code);  // attachers may still wait inside EAL
}

// NearEnd: this process's side of a link, and the second process at the other end. It measures one
// thing after another, so that a run can interleave them.
#pragma once

#include <memory>
#include <string>

#include "histogram.h"
#include "lanes/bench_port.h"
#include "lanes/bench_source.h"
#include "lanes/far_end.h"
#include "lanes/kernel_socket.h"
#include "lanes/peer_process.h"

namespace binlane::bench {

// A folder for sockets and runtime files, removed with its content.
class BenchFolder {
 public:
  // Below `parent`. Throws StartupError.
  explicit BenchFolder(const std::string& parent = "/tmp");
  ~BenchFolder();
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

class NearEnd {
 public:
  // Forks: neither DPDK nor a thread may be in this process yet.
  explicit NearEnd(const FarEndOptions& options);
  // Brings the link up; after all NearEnds of the run were made.
  void connect();

  // Each measures for `seconds`, after a warm-up. Throws StartupError when nothing comes back.
  // `unread`: the turn that finds a commit's bytes reads them from their file first.
  Histogram round_trips(std::uint32_t bytes, bool unread, double seconds);
  Histogram raw_round_trips(std::uint32_t bytes, double seconds);
  Histogram socket_round_trips(SocketKind kind, std::uint32_t bytes, bool blocking, double seconds);
  struct Repairs {
    Histogram all;
    Histogram repaired;  // commits of which something was lost and sent again
    std::uint64_t lost_there = 0;
    std::uint64_t lost_here = 0;
  };
  Repairs lossy_round_trips(std::uint32_t bytes, double seconds);
  // Bytes per second from a backlog into the far end's journal, and raw frames into the port.
  double catch_up(double seconds);
  double raw_throughput(double seconds);
  bool is_dpdk() noexcept { return port_->port().dpdk() != nullptr; }

 private:
  Endpoint begin(PeerRole role, std::uint32_t bytes, bool blocking);
  std::unique_ptr<BenchSource> begin_session(AckLevel level);

  FarEndOptions options_;
  PeerProcess far_;
  std::unique_ptr<BenchPort> port_;
  std::uint64_t session_ = 0;
};

}  // namespace binlane::bench

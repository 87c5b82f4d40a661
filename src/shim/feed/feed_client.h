// FeedClient: one connection to the feed, as its own thread, the accepting thread and the status
// page see it; and the counters of all connections.
//
// The connection's thread writes; others read, or set `superseded` and end the socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/position.h"
#include "shim/feed/binlog_server.h"
#include "shim/feed/packet_socket.h"

namespace binlane {

struct FeedCounters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused_full{0};
  std::atomic<std::uint64_t> refused_logins{0};
  std::atomic<std::uint64_t> dropped_logins{0};
  std::atomic<std::uint64_t> dumps{0};
  std::atomic<std::uint64_t> refused_dumps{0};
  std::atomic<std::uint64_t> stalled_clients{0};
  std::atomic<std::uint64_t> broken_clients{0};
  std::atomic<std::uint64_t> superseded{0};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<std::uint64_t> heartbeats{0};
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> bytes{0};

  void set_gap(std::string gap) {
    const std::lock_guard lock(mutex_);
    gap_ = std::move(gap);
  }
  std::string gap() const {
    const std::lock_guard lock(mutex_);
    return gap_;
  }
  // It may contain what clients send, but a status page has to stay small.
  static constexpr std::size_t kMaxError = 512;
  void set_last_error(std::string error) {
    if (error.size() > kMaxError) error = mysql::shown(error, kMaxError);
    const std::lock_guard lock(mutex_);
    last_error_ = std::move(error);
  }
  std::string last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
  }

 private:
  mutable std::mutex mutex_;
  std::string last_error_;
  std::string gap_;
};

class FeedClient {
 public:
  // Larger than any command a replica sends; a position of 65536 domains fits.
  static constexpr std::size_t kMaxCommand = 4 << 20;
  // A stranger's packets: names, a token, and connection attributes.
  static constexpr std::size_t kMaxLoginPacket = 4 << 10;

  FeedClient(std::uint64_t id, std::string address, int descriptor, bool is_local)
      : id(id),
        address(std::move(address)),
        is_local(is_local),
        socket(descriptor, kMaxLoginPacket) {}

  const std::uint64_t id;
  const std::string address;
  const bool is_local;  // on this host
  const std::uint64_t accepted_ns = monotonic_ns();
  PacketSocket socket;

  std::atomic<std::uint32_t> server_id{0};
  std::atomic<bool> logged_in{false};
  std::atomic<bool> dumping{false};
  std::atomic<bool> sealed{false};  // it dumps a stream before the archive's own
  std::atomic<bool> by_gtid{false};
  std::atomic<bool> ahead{false};
  std::atomic<bool> superseded{false};  // a newer dump has its server id
  std::atomic<bool> done{false};        // its thread has nothing more to do
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> bytes{0};

  void set_position(Position position) {
    const std::lock_guard lock(mutex_);
    position_ = position;
  }

  FeedClientStatus status() const {
    FeedClientStatus status;
    status.connection_id = id;
    status.address = address;
    status.server_id = server_id;
    status.dumping = dumping;
    status.sealed = sealed;
    status.by_gtid = by_gtid;
    status.ahead = ahead;
    status.events = events;
    status.bytes = bytes;
    const std::lock_guard lock(mutex_);
    status.position = position_;
    return status;
  }

 private:
  mutable std::mutex mutex_;
  Position position_;
};

}  // namespace binlane

// AdminServer: answers requests on binlaned's admin socket (protocol: include/binlane/admin.h).
//
// One thread with one poll loop serves all clients; everything a client can do is bounded: the
// length of a request, the number of connections, and the time a request may take to arrive or an
// answer to be taken. Requests of one client are answered in order, and no further one is read
// while its answer is being taken. Handlers run on this thread and must not block for long.
//
// The socket file is made under a lock file beside it ("<path>.lock"): a second daemon on the same
// path is refused, and a file that a killed one has left is replaced.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/heartbeat.h"
#include "binlane/admin.h"
#include "control/admin_requests.h"
#include "storage/file_util.h"

namespace binlane {

struct AdminLimits {
  std::size_t max_clients = admin::kMaxClients;
  std::uint32_t client_timeout_ms = admin::kClientTimeoutMs;
};

// Written by the server's thread, read by anyone.
struct AdminCounters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};    // too many clients
  std::atomic<std::uint64_t> requests{0};   // answered, with or without success
  std::atomic<std::uint64_t> errors{0};     // answered with an error
  std::atomic<std::uint64_t> timed_out{0};  // connections closed for taking too long
};

class AdminServer {
 public:
  explicit AdminServer(std::string path, AdminLimits limits = {});
  // Stops.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Before start() only. The verb "ping" is there already.
  void on(std::string verb, AdminHandler handler, AdminRole role = AdminRole::reader);
  void on_audit(AdminRequests::Audit audit);
  // Members of this group are operators, beside root and our own user. Before start() only.
  void set_operator_group(gid_t group) { operator_group_ = group; }

  // Makes the socket and starts the thread. Throws StartupError.
  void start();
  // Ends the thread, closes all connections and removes the socket file. May be called twice.
  void stop();

  const AdminCounters& counters() const noexcept { return counters_; }
  const std::string& path() const noexcept { return path_; }
  const Heartbeat& heartbeat() const noexcept { return heart_; }

 private:
  struct Client {
    FileDescriptor socket;
    AdminPeer peer;
    std::string input;
    std::string output;
    std::size_t sent = 0;
    std::uint64_t deadline_ns = 0;
    bool closing = false;  // once the output is out
  };

  void open_socket();
  void run();
  void accept_client(std::uint64_t now_ns);
  AdminPeer peer_of(int socket) const;
  // Each returns false when the client is to be dropped.
  bool read_from(Client& client);
  bool write_to(Client& client, std::uint64_t now_ns);
  // Answers complete lines until one answer is not out yet.
  bool serve(Client& client, std::uint64_t now_ns);

  const std::string path_;
  const AdminLimits limits_;
  AdminRequests requests_;
  std::optional<gid_t> operator_group_;
  FileDescriptor lock_;
  FileDescriptor listener_;
  FileDescriptor wake_;  // eventfd
  std::vector<Client> clients_;
  AdminCounters counters_;
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane

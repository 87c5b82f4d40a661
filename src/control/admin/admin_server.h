// AdminServer: answers requests on binlaned's admin socket (protocol: include/binlane/admin.h).
//
// One thread with one poll loop serves all clients. Everything that a client can do is bounded: the
// length of a request, the number of connections, and the time that a request may take to arrive or
// an answer to be read. Requests of one client are answered in order, and no further one is read
// while its answer is being sent. Handlers run on this thread and must not block for long; those of
// verbs registered as taking long run on another thread (AdminWorker).
//
// Some places are for operators only, so that no client that may only read can prevent a `fence`.
//
// The socket file is created under a lock file beside it ("<path>.lock"). So a second daemon on the
// same path is refused, and a file that a killed one has left is replaced.
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
#include "control/admin/admin_requests.h"
#include "control/admin/admin_worker.h"
#include "storage/file_util.h"

namespace binlane {

struct AdminLimits {
  std::size_t max_clients = admin::kMaxClients;
  std::size_t operator_places = admin::kOperatorPlaces;  // of max_clients
  std::uint32_t client_timeout_ms = admin::kClientTimeoutMs;
};

// Written by the server's thread, read by any thread.
struct AdminCounters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};    // too many clients
  std::atomic<std::uint64_t> strangers{0};  // neither operator nor member of the view group
  std::atomic<std::uint64_t> made_room{0};  // idle clients closed for an operator
  std::atomic<std::uint64_t> pauses{0};     // accept failed for want of descriptors or memory
  std::atomic<std::uint64_t> requests{0};   // answered, with or without success
  std::atomic<std::uint64_t> errors{0};     // answered with an error
  std::atomic<std::uint64_t> timed_out{0};  // connections closed for taking too long
};

class AdminServer {
 public:
  explicit AdminServer(std::string path, AdminLimits limits = {});
  // Stops.
  virtual ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Before start() only. The verb "ping" exists already.
  void on(std::string verb, AdminHandler handler, AdminRole role = AdminRole::reader,
          AdminPace pace = AdminPace::quick);
  void on_audit(AdminRequests::Audit audit);
  // Members of this group are operators, in addition to root and our own user; the socket is given
  // to the group. Before start() only.
  void set_operator_group(gid_t group) { operator_group_ = group; }
  // Members of this group may read, and except for operators nobody else may. Before start() only.
  void set_view_group(gid_t group) { view_group_ = group; }

  // Creates the socket and starts the thread. Throws StartupError.
  void start();
  // Ends the thread, closes all connections and removes the socket file. May be called twice.
  void stop();

  const AdminCounters& counters() const noexcept { return counters_; }
  const std::string& path() const noexcept { return path_; }
  const Heartbeat& heartbeat() const noexcept { return heart_; }

 protected:
  // Who is at the other end; a test overrides it, and calls stop() before its own object ends.
  virtual AdminPeer peer_of(int socket, bool& may_look) const;

 private:
  struct Client {
    std::uint64_t id = 0;
    FileDescriptor socket;
    AdminPeer peer;
    std::string input;
    std::string output;
    std::size_t sent = 0;
    std::uint64_t deadline_ns = 0;
    std::uint64_t active_ns = 0;  // when it last sent something or read an answer
    bool closing = false;         // true once the output is sent
    bool at_work = false;         // its answer is being computed on the other thread

    bool idle() const noexcept { return !at_work && input.empty() && output.empty(); }
  };

  void open_socket();
  void give_socket_to_groups();
  void run();
  void accept_clients(std::uint64_t now_ns);
  void pause_accepting(int error, std::uint64_t now_ns);
  // Returns false if there is none, and the client has been told so.
  bool find_place(int socket, const AdminPeer& peer);
  bool make_room();
  void take_answers(std::uint64_t now_ns);
  void put_answer(Client& client, AdminAnswer answer, std::uint64_t now_ns);
  // Each returns false when the client is to be dropped.
  bool read_from(Client& client, std::uint64_t now_ns);
  bool write_to(Client& client, std::uint64_t now_ns);
  // Answers complete lines until an answer cannot be sent completely.
  bool serve(Client& client, std::uint64_t now_ns);

  const std::string path_;
  const AdminLimits limits_;
  AdminRequests requests_;
  std::optional<gid_t> operator_group_;
  std::optional<gid_t> view_group_;
  FileDescriptor lock_;
  FileDescriptor listener_;
  FileDescriptor wake_;  // eventfd: stop() was called, or the other thread has an answer
  std::atomic<bool> stopping_{false};
  std::optional<AdminWorker> worker_;
  std::vector<Client> clients_;
  std::uint64_t last_id_ = 0;
  std::uint64_t accept_again_ns_ = 0;  // nobody is accepted before this time
  bool pause_logged_ = false;
  AdminCounters counters_;
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane

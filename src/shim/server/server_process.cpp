#include "shim/server/server_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>

#include "base/error.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kEndsWithin{2000};

// glibc has no wrappers for these before 2.36.
class ProcessHandle {
 public:
  explicit ProcessHandle(std::int64_t pid)
      : descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U))) {}
  ~ProcessHandle() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;

  bool is_open() const { return descriptor_ >= 0; }
  int send(int signal) const {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0U));
  }
  bool ends_within(std::chrono::milliseconds length) const {
    pollfd ended{descriptor_, POLLIN, 0};
    return ::poll(&ended, 1, static_cast<int>(length.count())) == 1;
  }

 private:
  int descriptor_;
};

}  // namespace

std::string find_server_process(ServerConnection& connection, const ServerRun& known,
                                PeerProcess& process) {
  process = {};
  const bool answers =
      (connection.is_connected() && connection.query("SELECT 1").ok()) || connection.connect().ok();
  if (!answers) {
    if (known.boot_id == this_boot_id()) process = known.process;
    return process.pid > 0 ? std::string()
                           : "the server does not answer, and its process is not known";
  }
  const auto peer = connection.peer_process();
  if (!peer) return "the kernel does not tell which process answers at the server's socket";
  // The server's own word is compared with the kernel's, because a proxy may listen at that socket.
  const QueryResult file = connection.query("SELECT @@GLOBAL.pid_file");
  std::int64_t written = 0;
  if (file.ok() && !file.rows.empty() && file.rows[0][0]) {
    std::ifstream(*file.rows[0][0]) >> written;
    if (written != 0 && written != peer->pid)
      return fmt::format(
          "the server's pid file {} names process {}, and process {} answers at its "
          "socket",
          *file.rows[0][0], written, peer->pid);
  }
  process = *peer;
  return {};
}

std::string kill_server_process(const PeerProcess& process, KillOutcome& outcome) {
  outcome = KillOutcome::gone;
  const ProcessHandle handle(process.pid);
  if (!handle.is_open())
    return errno == ESRCH
               ? std::string()
               : fmt::format("process {} cannot be opened: {}", process.pid, errno_text(errno));
  // Only now: from here on the handle means this process, even if its number is used again.
  if (!is_alive(process)) return {};
  if (handle.send(SIGKILL) != 0) {
    if (errno == ESRCH) return {};
    return fmt::format("process {} cannot be killed: {}; as root: kill -9 {}", process.pid,
                       errno_text(errno), process.pid);
  }
  outcome = handle.ends_within(kEndsWithin) ? KillOutcome::killed : KillOutcome::pending;
  return {};
}

}  // namespace binlane

#include "dataplane/port/port_attacher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>

#include "base/assert.h"
#include "base/error.h"
#include "base/folder_check.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "dataplane/port/eal.h"

namespace binlane {
namespace {

// Equals the descriptors that a DpdkPort asks for (dpdk_port_attach.cpp); a smaller ring would
// limit them.
constexpr unsigned kVirtioQueueSize = 512;
constexpr std::chrono::milliseconds kSocketPoll{1};
// A server's socket appears within a millisecond. After this bound others no longer wait for it.
constexpr int kMaxSocketPolls = 5000;

// EAL's lists of devices and devargs have no lock, so there is one plug-in at a time. It is a
// semaphore because a plug-in that blocks for its peer gives its turn back from another thread.
std::binary_semaphore plug_turn{1};

std::atomic<unsigned> next_device{0};

std::string join_reason(std::string_view what, int code) {
  const std::string driver = take_eal_error();
  if (!driver.empty()) return fmt::format("{}: {}", what, driver);
  return fmt::format("{}: {}", what, rte_strerror(code < 0 ? -code : code));
}

// A process that connects to a vhost-user socket shares all of this process's DPDK memory, also for
// writing. A source that connects to a socket shares the memory of the process that made it. So no
// other user may be able to put a socket there, or to reach ours.
std::string socket_problem(const std::string& path, bool server) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (std::string problem = folder_problem(folder); !problem.empty())
    return fmt::format("the socket {}: {}", path, problem);
  struct stat info {};
  if (server || ::lstat(path.c_str(), &info) != 0)
    return {};  // does not exist yet: another attempt follows
  if (info.st_uid == ::geteuid() || info.st_uid == 0) return {};
  return fmt::format(
      "the socket {} belongs to user {}, with whom this process must not share its memory", path,
      info.st_uid);
}

// The driver creates its socket with the umask. The umask belongs to the whole process, unless a
// thread has one of its own. If the system does not allow that (some containers), files that other
// threads create meanwhile are not readable for their group either.
void make_sockets_private() {
  if (::unshare(CLONE_FS) != 0)
    log::warning("umask", "binlaned's umask is 0077 from now on: a thread cannot have its own ({})",
                 errno_text(errno));
  ::umask(0077);
}

bool path_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace

struct PortAttacher::Shared {
  explicit Shared(DpdkPort& target) : port(&target), config(target.config()) {}

  // Under the mutex.
  mutable std::mutex mutex;
  std::condition_variable abandoned_changed;
  DpdkPort* port;  // nullptr once abandoned
  Status status;

  // The plugging thread's own.
  const PortConfig config;
  const unsigned device = next_device.fetch_add(1);
  int lock_fd = -1;
  std::optional<std::uint16_t> port_id;

  void run();
  std::string try_once();
  std::string devargs() const;
  std::string take_socket();
  int probe(const std::string& devargs);
  bool is_server() const {
    return config.spec.kind == PortKind::vhost && config.side == PortSide::replica;
  }
};

std::string PortAttacher::Shared::devargs() const {
  if (config.spec.kind == PortKind::dpdk) return config.spec.argument;
  if (is_server()) {
    // A fixed address, so that a peer's ARP entry survives our restart. Split rings, because with
    // packed ones every poll of net_vhost takes a whole burst of mbufs from the pool and returns it
    // (DPDK 22.11: 850 cycles for an empty poll instead of 70).
    const auto mac = mac_from_ipv4(config.local.ipv4).bytes;
    return fmt::format(
        "net_virtio_user{},path={},queues=1,queue_size={},packed_vq=0,server=1,mac={:02x}", device,
        config.spec.argument, kVirtioQueueSize, fmt::join(mac, ":"));
  }
  return fmt::format("net_vhost{},iface={},queues=1,client=1", device, config.spec.argument);
}

// A killed server leaves its socket's file, and the next one cannot bind. The lock on the file
// beside it proves that no process listens. The lock is held until the process ends, hence never
// closed.
std::string PortAttacher::Shared::take_socket() {
  const std::string& path = config.spec.argument;
  const std::string lock_path = path + ".lock";
  if (lock_fd < 0) {
    const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fmt::format("opening {}: {}", lock_path, errno_text(errno));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      ::close(fd);
      if (code == EWOULDBLOCK) return fmt::format("{} is in use by another process", path);
      return fmt::format("locking {}: {}", lock_path, errno_text(code));
    }
    lock_fd = fd;
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? "" : fmt::format("{}: {}", path, errno_text(errno));
  }
  if (!S_ISSOCK(info.st_mode)) return fmt::format("{} exists and is not a socket", path);
  if (::unlink(path.c_str()) != 0) {
    return fmt::format("removing the stale {}: {}", path, errno_text(errno));
  }
  return "";
}

int PortAttacher::Shared::probe(const std::string& text) {
  plug_turn.acquire();
  if (!is_server()) {
    const int result = rte_dev_probe(text.c_str());
    plug_turn.release();
    return result;
  }
  // Once its socket exists the server is done with EAL's lists and only waits, so others may
  // continue.
  std::atomic<bool> done{false};
  std::thread hand_back;
  const std::string problem = start_thread(hand_back, [&] {
    for (int polls = 0; polls < kMaxSocketPolls; ++polls) {
      if (done.load() || path_exists(config.spec.argument)) break;
      std::this_thread::sleep_for(kSocketPoll);
    }
    plug_turn.release();
  });
  if (!problem.empty()) {
    plug_turn.release();
    return -EAGAIN;  // counts as a failure of this attempt
  }
  const int result = rte_dev_probe(text.c_str());
  done.store(true);
  hand_back.join();
  return result;
}

std::string PortAttacher::Shared::try_once() {
  static_cast<void>(take_eal_error());
  if (!port_id) {
    if (config.spec.kind == PortKind::vhost) {
      const std::string problem = socket_problem(config.spec.argument, is_server());
      if (!problem.empty()) return problem;
    }
    if (is_server()) {
      if (std::string reason = take_socket(); !reason.empty()) return reason;
    }
    const std::string text = devargs();
    const int result = probe(text);
    // -EEXIST: EAL took it when it scanned its buses.
    if (result < 0 && result != -EEXIST) {
      return join_reason(fmt::format("plugging in {}", text), result);
    }
    rte_dev_iterator iterator;
    std::uint16_t found = RTE_MAX_ETHPORTS;
    std::uint16_t id = 0;
    RTE_ETH_FOREACH_MATCHING_DEV(id, text.c_str(), &iterator) {
      found = id;
      rte_eth_iterator_cleanup(&iterator);
      break;
    }
    if (found == RTE_MAX_ETHPORTS) return fmt::format("{} has no network port", text);
    port_id = found;
  }
  const std::lock_guard lock(mutex);
  if (port == nullptr) return "abandoned";
  std::string reason;
  if (port->attach(*port_id, reason)) return "";
  const std::string driver = take_eal_error();
  return driver.empty() ? reason : fmt::format("{} ({})", reason, driver);
}

void PortAttacher::Shared::run() {
  std::uint64_t pause_ns = kFirstPlugPauseNs;
  for (std::uint32_t attempt = 1; attempt <= kMaxPlugAttempts; ++attempt) {
    {
      const std::lock_guard lock(mutex);
      if (port == nullptr) return;
      status.attempts = attempt;
    }
    const std::string reason = try_once();
    std::unique_lock lock(mutex);
    if (port == nullptr) return;
    if (reason.empty()) {
      status.state = State::attached;
      status.last_error.clear();
      log::info("port.attached", "{} is ready at DPDK port {}", config.spec.argument, *port_id);
      return;
    }
    ++status.failures;
    status.last_error = reason;
    if (attempt == kMaxPlugAttempts) break;
    log::warning("port.plug_failed", "attempt {} of {}: {}", attempt, kMaxPlugAttempts, reason);
    abandoned_changed.wait_for(lock, std::chrono::nanoseconds(pause_ns),
                               [&] { return port == nullptr; });
    pause_ns = std::min(2 * pause_ns, kMaxPlugPauseNs);
  }
  const std::lock_guard lock(mutex);
  status.state = State::failed;
  log::error("port.gave_up", "{}: {} attempts failed, the last: {}", config.spec.argument,
             kMaxPlugAttempts, status.last_error);
}

PortAttacher::PortAttacher(DpdkPort& port) : shared_(std::make_shared<Shared>(port)) {
  BL_ASSERT(eal_running());
  BL_ASSERT(port.config().spec.kind != PortKind::udp);
  std::thread([shared = shared_] {
    // Signals are for the daemon's own threads; this one may be blocked for ever.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    if (shared->is_server()) make_sockets_private();
    shared->run();
  }).detach();
}

PortAttacher::~PortAttacher() {
  const std::lock_guard lock(shared_->mutex);
  shared_->port = nullptr;
  shared_->abandoned_changed.notify_all();
}

PortAttacher::Status PortAttacher::status() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->status;
}

}  // namespace binlane

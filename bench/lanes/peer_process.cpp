#include "lanes/peer_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>

#include "base/error.h"

namespace binlane::bench {
namespace {

// A far end plugs in its ports and formats nothing: much longer than that takes anywhere.
constexpr int kReadyBoundMs = 30'000;

[[noreturn]] void be_far_end(const std::function<void(PeerProcess::FarEnd&)>& far_end, int channel,
                             PeerPage& page) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 0;
  try {
    PeerProcess::FarEnd side(channel, page);
    far_end(side);
  } catch (const StartupError& error) {
    fmt::print(stderr, "binlane-bench, far end: {}\n", error.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);  // see eal.h
}

}  // namespace

bool PeerProcess::FarEnd::next(PeerPlan& plan) {
  return ::read(channel_, &plan, sizeof plan) == static_cast<ssize_t>(sizeof plan);
}

void PeerProcess::FarEnd::ready(const Endpoint& at) {
  if (::write(channel_, &at, sizeof at) != static_cast<ssize_t>(sizeof at))
    throw StartupError("the near end is gone");
}

PeerProcess::PeerProcess(const std::function<void(FarEnd&)>& far_end) {
  void* const memory =
      ::mmap(nullptr, sizeof(PeerPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int channel[2] = {-1, -1};
  if (memory == MAP_FAILED || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
    throw StartupError(fmt::format("no second process: {}", errno_text(errno)));
  page_ = new (memory) PeerPage;
  pid_ = ::fork();
  if (pid_ < 0) throw StartupError(fmt::format("no second process: {}", errno_text(errno)));
  if (pid_ == 0) {
    ::close(channel[0]);
    be_far_end(far_end, channel[1], *page_);
  }
  ::close(channel[1]);
  channel_ = channel[0];
}

PeerProcess::~PeerProcess() {
  ::close(channel_);
  // It may wait inside EAL for a peer that never comes.
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(page_, sizeof(PeerPage));
}

Endpoint PeerProcess::begin(PeerPlan plan) {
  plan.number = ++number_;
  Endpoint at;
  pollfd wait{channel_, POLLIN, 0};
  if (::send(channel_, &plan, sizeof plan, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof plan) ||
      ::poll(&wait, 1, kReadyBoundMs) != 1 ||
      ::read(channel_, &at, sizeof at) != static_cast<ssize_t>(sizeof at))
    throw StartupError("the far end is not there");
  return at;
}

}  // namespace binlane::bench

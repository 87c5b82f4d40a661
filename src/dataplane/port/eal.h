// EAL: the part of DPDK that a process brings up once, before its first DPDK port.
//
// Needs neither root nor hugepages with the default arguments. The calling thread becomes EAL's
// main lcore but keeps its CPU affinity: which core a lane runs on is the lane's own setting.
//
// Leaving: EAL cannot cancel a blocked plug-in, and net_virtio_user panics when it is closed after
// a reconnect. So devices are never closed, and a process that called eal_start() ends by _exit()
// once everything durable is done.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"

namespace binlane {

struct EalConfig {
  // [eal] arguments; what they already say is not said again.
  std::vector<std::string> arguments = {"--no-huge", "-m", "64"};
  // Tells processes of one machine apart; the process id is added.
  std::string name = "binlane";
  // Where EAL may make its runtime folder (it is removed again when nothing needs it). Empty: EAL's
  // own choice, XDG_RUNTIME_DIR when that is usable, else a folder below /tmp.
  std::string runtime_dir;
  // PCI addresses of the NICs to take; none: the PCI bus is left alone.
  std::vector<std::string> pci_devices;
  log::Level log_level = log::Level::warning;
};

// Throws StartupError with EAL's own reason. Once per process, before other threads exist that
// read the environment.
void eal_start(const EalConfig& config);

// True after eal_start().
bool eal_running() noexcept;

// What EAL or a driver last logged as an error on this thread, and forgets it: the reason behind a
// bare error number. Not for lanes.
std::string take_eal_error();

// A lane holds one for its thread's life: it gives the thread an lcore id, and with it the mbuf
// pool's per-thread cache. Does nothing when EAL is not running.
class EalThread {
 public:
  EalThread();
  ~EalThread();
  EalThread(const EalThread&) = delete;
  EalThread& operator=(const EalThread&) = delete;

  bool registered() const noexcept { return registered_; }

 private:
  bool registered_ = false;
};

}  // namespace binlane

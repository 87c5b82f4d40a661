// EAL: the part of DPDK that a process starts once, before its first DPDK port.
//
// With the default arguments it needs neither root nor hugepages. The calling thread becomes EAL's
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
  // [eal] arguments. An option that they contain is not added again.
  std::vector<std::string> arguments = {"--no-huge", "-m", "64"};
  // Distinguishes processes of one machine; the process id is added.
  std::string name = "binlane";
  // Where EAL may create its runtime folder (which is removed again when nothing needs it). Empty:
  // EAL's own choice, which is XDG_RUNTIME_DIR if that is usable, else a folder below /tmp.
  std::string runtime_dir;
  // PCI addresses of the NICs to take; none: the PCI bus is not touched.
  std::vector<std::string> pci_devices;
  log::Level log_level = log::Level::warning;
};

// Throws StartupError with EAL's own reason. Once per process, before other threads exist that
// read the environment.
void eal_start(const EalConfig& config);

// True after eal_start().
bool eal_running() noexcept;

// Returns what EAL or a driver last logged as an error on this thread, and forgets it: the reason
// for a bare error number. Not for lanes.
std::string take_eal_error();

// A lane holds one for its thread's life. It gives the thread an lcore id, and with it the mbuf
// pool's per-thread cache. Does nothing if EAL is not running.
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

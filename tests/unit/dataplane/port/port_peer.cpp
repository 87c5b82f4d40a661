// The other process of dpdk_port_test: a port that sends every datagram back where it came from.
// Ends with its parent, by a signal, or after its own bound. Not a program for users.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "dataplane/port/any_port.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/port_attacher.h"

namespace binlane {
namespace {

constexpr std::uint64_t kLifeNs = 120 * kNanosPerSecond;

// arguments: <port spec> <source|replica> <local IPv4 as a number> <UDP port> <MTU> [EAL argument…]
int run(int argc, char** argv) {
  if (argc < 6) return 2;
  PortConfig config;
  config.spec = parse_port_spec(argv[1]);
  config.side = std::strcmp(argv[2], "source") == 0 ? PortSide::source : PortSide::replica;
  config.local = {static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 0)),
                  static_cast<std::uint16_t>(std::strtoul(argv[4], nullptr, 0))};
  config.mtu = static_cast<std::uint32_t>(std::strtoul(argv[5], nullptr, 0));
  EalConfig eal;
  eal.name = "port-peer";
  eal.arguments.insert(eal.arguments.end(), argv + 6, argv + argc);
  eal_start(eal);

  AnyPort port(config);
  PortAttacher attacher(*port.dpdk());
  const std::uint64_t end_ns = monotonic_ns() + kLifeNs;
  while (monotonic_ns() < end_ns) {
    bool idle = true;
    for (const Datagram& datagram : port.rx()) {
      idle = false;
      const MutableBytes buffer = port.tx_buffer();
      if (buffer.size() < datagram.payload.size()) continue;
      std::memcpy(buffer.data(), datagram.payload.data(), datagram.payload.size());
      port.tx_commit(datagram.from, static_cast<std::uint32_t>(datagram.payload.size()));
    }
    port.flush();
    if (idle) ::sched_yield();
  }
  return 0;
}

}  // namespace
}  // namespace binlane

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 1;
  try {
    code = binlane::run(argc, argv);
  } catch (const binlane::StartupError& error) {
    fmt::print(stderr, "{}\n", error.what());
  }
  std::fflush(nullptr);
  ::_exit(code);  // see eal.h
}

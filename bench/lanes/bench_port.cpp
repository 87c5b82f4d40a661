#include "lanes/bench_port.h"

#include <fmt/format.h>
#include <sched.h>

#include "base/clock.h"
#include "base/error.h"
#include "dataplane/port/eal.h"

namespace binlane::bench {
namespace {

constexpr std::uint64_t kAttachBoundNs = 20 * kNanosPerSecond;
constexpr std::uint32_t kLoopback = 0x7f000001;
// The range that is set aside for benchmarks of interconnected devices: 198.18.0.0/15.
constexpr Endpoint kSourceEnd{0xc6120001, 7100};
constexpr Endpoint kReplicaEnd{0xc6120002, 7200};

PortConfig config_of(const std::string& spec, PortSide side, const std::string& folder,
                     double loss) {
  PortConfig config;
  config.spec = parse_port_spec(spec == "vhost" ? fmt::format("vhost:{}/link.sock", folder) : spec);
  config.side = side;
  config.faults.loss = loss;
  // The two ends must not lose the same packets of their streams.
  config.faults.seed = side == PortSide::source ? 1 : 2;
  config.local =
      config.spec.kind == PortKind::udp ? Endpoint{kLoopback, 0} : BenchPort::fixed_endpoint(side);
  if (config.spec.kind != PortKind::udp && !eal_running()) {
    EalConfig eal;
    eal.name = "bench";
    eal.runtime_dir =
        fmt::format("{}/eal-{}", folder, side == PortSide::source ? "source" : "replica");
    eal_start(eal);
  }
  return config;
}

}  // namespace

Endpoint BenchPort::fixed_endpoint(PortSide side) noexcept {
  return side == PortSide::source ? kSourceEnd : kReplicaEnd;
}

BenchPort::BenchPort(const std::string& spec, PortSide side, const std::string& folder, double loss)
    : port_(config_of(spec, side, folder, loss)) {
  if (port_.dpdk() != nullptr) attacher_ = std::make_unique<PortAttacher>(*port_.dpdk());
}

void BenchPort::wait_attached() {
  const std::uint64_t end_ns = monotonic_ns() + kAttachBoundNs;
  const auto up = [this] {
    return port_.dpdk() == nullptr || (port_.attached() && port_.dpdk()->link_up());
  };
  while (!up()) {
    if (monotonic_ns() > end_ns)
      throw StartupError("the port does not come up: " + attacher_->status().last_error);
    port_.rx();
    port_.flush();
    ::sched_yield();
  }
}

Endpoint BenchPort::endpoint() noexcept {
  if (port_.udp() != nullptr) return port_.udp()->local();
  return port_.dpdk()->config().local;
}

}  // namespace binlane::bench

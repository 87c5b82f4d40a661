// Cores, locked memory, ports and clock of this host, for `binlane doctor`.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "base/folder_check.h"
#include "control/config/config_value.h"
#include "control/doctor/checkup.h"

namespace binlane {
namespace {

// With fewer cores a spinning lane stalls the disk's interrupts (docs: idle strategies).
constexpr unsigned kCoresToSpin = 4;
// io_uring's rings and the journal's registered buffers, beside the journal's own size.
constexpr std::uint64_t kLockedSlack = std::uint64_t{16} * 1024 * 1024;
constexpr std::uint64_t kMiB = std::uint64_t{1024} * 1024;

void check_cores(const Config& config, Findings& found) {
  const unsigned cores = std::thread::hardware_concurrency();
  if (config.lane.idle == IdleMode::spin && cores < kCoresToSpin)
    found.push_back({CheckSeverity::fault, "cores",
                     fmt::format("lane.idle is spin, and this host has {} cores: a spinning lane "
                                 "stalls the disk",
                                 cores),
                     "lane.idle = \"auto\""});
  else if (config.lane.cpu >= static_cast<std::int64_t>(cores))
    found.push_back(
        {CheckSeverity::fault, "cores",
         fmt::format("lane.cpu is {}, and this host has {} cores", config.lane.cpu, cores),
         "use a core that exists, or -1"});
  else
    found.push_back({CheckSeverity::fine, "cores", fmt::format("{} cores", cores), ""});
}

void check_locked_memory(const Config& config, Findings& found) {
  if (!config.replica) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return;
  const std::uint64_t needed = config.replica->journal_size_mb * kMiB + kLockedSlack;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed && ::geteuid() != 0)
    found.push_back(
        {CheckSeverity::warning, "memlock",
         fmt::format("{} MiB of memory may be locked, but registered buffers need {} MiB",
                     limit.rlim_cur / kMiB, needed / kMiB),
         "LimitMEMLOCK=infinity in the unit (the packaged one has it)"});
}

bool is_own_address(std::uint32_t ipv4) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  bool found = false;
  for (const ifaddrs* one = all; one != nullptr && !found; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    found = ntohl(address->sin_addr.s_addr) == ipv4;
  }
  ::freeifaddrs(all);
  return found;
}

void check_port(const PortSpec& port, const Endpoint& local, Findings& found) {
  if (port.kind == PortKind::udp) {
    const bool own = is_own_address(local.ipv4);
    found.push_back({own ? CheckSeverity::fine : CheckSeverity::fault, "port",
                     fmt::format("udp at {}{}", endpoint_text(local),
                                 own ? "" : ": not an address of this host"),
                     own ? "" : "use an address that `ip address` shows"});
    return;
  }
  if (port.kind != PortKind::vhost) {
    found.push_back(
        {CheckSeverity::fine, "port", to_string(port) + " (checked when binlaned starts)", ""});
    return;
  }
  const auto slash = port.argument.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : port.argument.substr(0, slash);
  const std::string unsafe = folder_problem(folder.empty() ? "/" : folder);
  if (!unsafe.empty())
    found.push_back({CheckSeverity::fault, "port", fmt::format("{}: {}", to_string(port), unsafe),
                     "use a folder of binlaned's own user, because whoever may put a socket there "
                     "shares all of DPDK's memory"});
  else if (::access(folder.c_str(), W_OK | X_OK) != 0)
    found.push_back({CheckSeverity::fault, "port",
                     fmt::format("{}: no socket can be created in {}", to_string(port), folder),
                     "create the folder, or correct its permissions"});
  else
    found.push_back({CheckSeverity::fine, "port", to_string(port), ""});
}

void check_ports(const Config& config, Findings& found) {
  std::set<std::string> seen;  // one port of the source may serve all of its replicas
  if (config.source) {
    for (const SourceReplicaConfig& replica : config.source->replicas) {
      if (seen.insert(to_string(replica.port) + ' ' + endpoint_text(replica.local_address)).second)
        check_port(replica.port, replica.local_address, found);
    }
  }
  if (config.replica) check_port(config.replica->port, config.replica->address, found);
}

// Nothing in Binlane depends on the wall clock, except the texts of logs and ledger.
void check_clock(Findings& found) {
  timex state{};
  const int synchronised = ::adjtimex(&state);
  if (synchronised == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
    found.push_back({CheckSeverity::warning, "clock",
                     "the kernel does not report its clock as synchronised",
                     "run chrony or systemd-timesyncd: times in logs and ledger are for people"});
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  if (std::getline(file, source) && source != "tsc" && source != "kvm-clock")
    found.push_back(
        {CheckSeverity::warning, "clock",
         fmt::format("the clock source is {}: reading the time is a system call", source),
         "use tsc, if the machine has a constant one"});
}

}  // namespace

Findings check_host(const Config& config) {
  Findings found;
  check_cores(config, found);
  check_locked_memory(config, found);
  check_ports(config, found);
  check_clock(found);
  return found;
}

}  // namespace binlane

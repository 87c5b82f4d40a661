#include "lanes/near_end.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "lanes/raw_port.h"
#include "measure.h"

namespace binlane::bench {
namespace {

// Nothing that is measured takes this long; it bounds a run whose far end died.
constexpr std::uint64_t kAnswerBoundNs = 5 * kNanosPerSecond;
constexpr std::uint64_t kWindow = std::uint64_t{1} << 50;
// What catching up keeps in flight: the run ends before the last bytes do.
constexpr std::uint64_t kBulkStep = 64U << 20;

// One message there and back; 0 bytes lost is the rule on loopback and vhost, so a message that is
// not back within the bound ends the run.
template <class Send, class Receive>
std::uint64_t ping(IdleStrategy& idle, Send send, Receive receive) {
  const std::uint64_t begin_ns = monotonic_ns();
  while (!send()) {
    if (monotonic_ns() - begin_ns > kAnswerBoundNs) throw StartupError("a ping cannot be sent");
  }
  while (!receive()) {
    idle.after_turn(0, 0);
    if (monotonic_ns() - begin_ns > kAnswerBoundNs) throw StartupError("a ping does not come back");
  }
  idle.after_turn(1, 1);
  return monotonic_ns() - begin_ns;
}

}  // namespace

BenchFolder::BenchFolder(const std::string& parent) : path_(parent + "/binlane-bench-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr)
    throw StartupError(fmt::format("cannot make {}: {}", path_, errno_text(errno)));
}

BenchFolder::~BenchFolder() {
  std::error_code ignored;  // what is left over is in a temporary folder
  std::filesystem::remove_all(path_, ignored);
}

NearEnd::NearEnd(const FarEndOptions& options)
    : options_(options),
      far_([options](PeerProcess::FarEnd& side) { run_far_end(side, options); }) {}

void NearEnd::connect() {
  port_ =
      std::make_unique<BenchPort>(options_.port, PortSide::source, options_.folder, options_.loss);
  port_->wait_attached();
}

Endpoint NearEnd::begin(PeerRole role, std::uint32_t bytes, bool blocking) {
  PeerPlan plan;
  plan.role = role;
  plan.bytes = bytes;
  plan.blocking = blocking;
  plan.session_id = ++session_;
  plan.source = port_->endpoint();
  return far_.begin(plan);
}

std::unique_ptr<BenchSource> NearEnd::begin_session(AckLevel level) {
  const Endpoint replica = begin(PeerRole::binlane, 0, false);
  return std::make_unique<BenchSource>(port_->port(), replica, session_, kWindow, level,
                                       options_.idle, options_.folder);
}

Histogram NearEnd::round_trips(std::uint32_t bytes, bool unread, double seconds) {
  const auto source = begin_session(AckLevel::received);
  Histogram all = measure(seconds, [&] {
    if (!source->commit(bytes, unread, kAnswerBoundNs))
      throw StartupError("the session broke down");
    return source->took_ns();
  });
  far_.end();
  return all;
}

NearEnd::Repairs NearEnd::lossy_round_trips(std::uint32_t bytes, double seconds) {
  const std::uint64_t lost_there = far_.page().lost.load();
  const std::uint64_t lost_here = port_->port().fault_counters().lost;
  const auto source = begin_session(AckLevel::received);
  Repairs repairs;
  bool warm = false;
  const auto lost = [&] {
    return far_.page().lost.load(std::memory_order_relaxed) + port_->port().fault_counters().lost;
  };
  const auto once = [&] {
    const std::uint64_t lost_before = lost();
    if (!source->commit(bytes, false, kAnswerBoundNs)) throw StartupError("the session broke down");
    const std::uint64_t took_ns = source->took_ns();
    // More than its one frame, and not because an end was merely slow.
    const bool repaired = source->frames() > 1 && lost() > lost_before;
    if (warm && repaired) repairs.repaired.record(took_ns);
    // A lone commit, then silence: what follows it (marks, late ACKs) is over before the next.
    source->settle();
    return took_ns;
  };
  static_cast<void>(measure(seconds * kWarmUpPart, once));
  warm = true;
  repairs.all = measure(seconds, once);
  far_.end();
  repairs.lost_there = far_.page().lost.load() - lost_there;
  repairs.lost_here = port_->port().fault_counters().lost - lost_here;
  return repairs;
}

Histogram NearEnd::raw_round_trips(std::uint32_t bytes, double seconds) {
  begin(PeerRole::raw, bytes, false);
  RawPort raw;
  IdleStrategy idle = idle_of(options_.idle);
  Histogram all = measure(seconds, [&] {
    return ping(
        idle, [&] { return raw.send(bytes); }, [&] { return raw.receive() > 0; });
  });
  far_.end();
  return all;
}

Histogram NearEnd::socket_round_trips(SocketKind kind, std::uint32_t bytes, bool blocking,
                                      double seconds) {
  const Endpoint at =
      begin(kind == SocketKind::udp ? PeerRole::udp : PeerRole::tcp, bytes, blocking);
  KernelSocket socket(kind, bytes, blocking);
  socket.connect(at);
  IdleStrategy idle = idle_of(blocking ? IdleMode::spin : options_.idle);
  Histogram all = measure(seconds, [&] {
    return ping(
        idle, [&] { return socket.send(); }, [&] { return socket.receive(); });
  });
  far_.end();
  return all;
}

double NearEnd::catch_up(double seconds) {
  const auto source = begin_session(AckLevel::durable);
  // The backlog never ends, so that the end of it is not measured.
  if (!source->bulk(kBulkStep, kBulkStep - 1, kAnswerBoundNs))
    throw StartupError("catching up does not begin");
  const std::uint64_t begin_ns = monotonic_ns();
  const std::uint64_t begun_at = source->covered();
  const std::uint64_t end_ns = begin_ns + nanos(seconds);
  while (monotonic_ns() < end_ns) {
    if (!source->bulk(kBulkStep / 8, kBulkStep, kAnswerBoundNs))
      throw StartupError("catching up broke down");
  }
  const double bytes = static_cast<double>(source->covered() - begun_at);
  const double rate = bytes * kNanosPerSecond / static_cast<double>(monotonic_ns() - begin_ns);
  far_.end();
  return rate;
}

double NearEnd::raw_throughput(double seconds) {
  const std::uint32_t bytes = port_->port().max_payload();
  begin(PeerRole::sink, bytes, false);
  RawPort raw;
  IdleStrategy idle = idle_of(options_.idle);
  const std::uint64_t begin_ns = monotonic_ns();
  const std::uint64_t end_ns = begin_ns + nanos(seconds);
  while (monotonic_ns() < end_ns) {
    const std::uint32_t sent = raw.send_burst(bytes);
    idle.after_turn(sent, sent);
  }
  const double arrived = static_cast<double>(far_.page().bytes.load());
  const double rate = arrived * kNanosPerSecond / static_cast<double>(monotonic_ns() - begin_ns);
  far_.end();
  return rate;
}

}  // namespace binlane::bench

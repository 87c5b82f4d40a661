#include "lanes/far_end.h"

#include <memory>
#include <optional>

#include "lanes/bench_port.h"
#include "lanes/bench_replica.h"
#include "lanes/kernel_socket.h"
#include "lanes/raw_port.h"
#include "measure.h"
#include "storage/journal/journal_disk.h"

namespace binlane::bench {
namespace {

constexpr std::uint64_t kSessionBoundNs = 10 * kNanosPerSecond;

class FarEndRun {
 public:
  FarEndRun(PeerProcess::FarEnd& side, const FarEndOptions& options)
      : side_(side),
        options_(options),
        port_(options.port, PortSide::replica, options.folder, options.loss) {}

  void serve(const PeerPlan& plan) {
    if (!attached_ && plan.role != PeerRole::udp && plan.role != PeerRole::tcp) {
      // The near end's device must become ready meanwhile, so it is told to continue at once.
      port_.wait_attached();
      attached_ = true;
    }
    switch (plan.role) {
      case PeerRole::binlane:
        options_.journal_path.empty() ? follow_in_memory(plan) : follow_on_disk(plan);
        break;
      case PeerRole::raw:
        echo_raw(plan);
        break;
      case PeerRole::sink:
        sink(plan);
        break;
      case PeerRole::udp:
        echo_socket(plan, SocketKind::udp);
        break;
      case PeerRole::tcp:
        echo_socket(plan, SocketKind::tcp);
        break;
    }
  }

 private:
  template <class Disk>
  void follow(const PeerPlan& plan, Disk& disk, MutableBytes image, const JournalStart& start) {
    const auto replica = std::make_unique<BenchReplica<Disk>>(
        port_.port(), disk, image, start, plan.source, plan.session_id, kSessionBoundNs);
    side_.ready(port_.endpoint());
    IdleStrategy idle = idle_of(options_.idle);
    while (!side_.over(plan)) {
      idle.after_turn(replica->do_work(), replica->batch());
      if (options_.loss > 0)
        side_.page().lost.store(port_.port().fault_counters().lost, std::memory_order_relaxed);
    }
    // Nothing may complete into a journal that is gone.
    while (!replica->journal().idle() && !replica->journal().failed()) replica->do_work();
    if (replica->journal().failed()) throw StartupError("the far end's journal failed");
    side_.page().bytes.store(replica->journal().durable_log(), std::memory_order_relaxed);
  }

  void follow_in_memory(const PeerPlan& plan) {
    JournalImage image(std::size_t{options_.journal_blocks} * kBlockSize);
    JournalStart start;
    start.journal_id = 1;
    NoDisk disk;
    follow(plan, disk, image.bytes(), start);
  }

  // A new journal each time, because an old one would hold another stream.
  void follow_on_disk(const PeerPlan& plan) {
    for (const char* const suffix : {"", ".meta"})
      static_cast<void>(::unlink((options_.journal_path + suffix).c_str()));
    JournalFile file = JournalFile::open_or_format(
        {options_.journal_path, std::uint64_t{options_.journal_blocks} * kBlockSize, false});
    JournalDisk disk(file);
    disk.attach();
    follow(plan, disk, file.image(), file.start());
  }

  void echo_raw(const PeerPlan& plan) {
    RawPort raw;
    side_.ready(port_.endpoint());
    IdleStrategy idle = idle_of(options_.idle);
    while (!side_.over(plan)) {
      const std::uint32_t frames = raw.receive();
      for (std::uint32_t i = 0; i < frames; ++i) raw.send(plan.bytes);
      idle.after_turn(frames, frames);
    }
  }

  void sink(const PeerPlan& plan) {
    RawPort raw;
    std::uint64_t frames = 0;
    side_.page().bytes.store(0, std::memory_order_relaxed);
    side_.ready(port_.endpoint());
    IdleStrategy idle = idle_of(options_.idle);
    while (!side_.over(plan)) {
      const std::uint32_t now = raw.receive();
      frames += now;
      side_.page().bytes.store(frames * plan.bytes, std::memory_order_relaxed);
      idle.after_turn(now, now);
    }
  }

  void echo_socket(const PeerPlan& plan, SocketKind kind) {
    KernelSocket socket(kind, plan.bytes, plan.blocking);
    socket.listen();
    side_.ready(socket.local());
    while (!side_.over(plan) && !socket.accept()) {
    }
    IdleStrategy idle = idle_of(plan.blocking ? IdleMode::spin : options_.idle);
    while (!side_.over(plan)) {
      const bool arrived = socket.receive();
      if (arrived) socket.send();
      idle.after_turn(arrived ? 1 : 0, arrived ? 1 : 0);
    }
  }

  PeerProcess::FarEnd& side_;
  const FarEndOptions& options_;
  BenchPort port_;
  bool attached_ = false;
};

}  // namespace

void run_far_end(PeerProcess::FarEnd& side, const FarEndOptions& options) {
  FarEndRun run(side, options);
  PeerPlan plan;
  while (side.next(plan)) run.serve(plan);
}

}  // namespace binlane::bench

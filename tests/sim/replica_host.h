// ReplicaHost: a replica's machine in virtual time: the real lane, journal, recovery, superblock
// logic, archiver and group tracker over a model disk and model files.
//
// Glue: control() does what ReplicaControl's thread does around the production classes, and start()
// what Daemon and JournalFile do. Keep them alike.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/exposure_record.h"
#include "control/feed_glue.h"
#include "dataplane/replica_cycle.h"
#include "host_files.h"
#include "host_superblock.h"
#include "random.h"
#include "storage/archive.h"
#include "storage/journal.h"
#include "storage/recovery.h"
#include "support/fake_network.h"
#include "support/model_disk.h"
#include "trace.h"

namespace binlane::sim {

inline constexpr const char* kArchiveDirectory = "archive";
inline constexpr const char* kClusterName = "simulated";

class ReplicaHost {
 public:
  using Cycle = ReplicaCycle<test::FakePort, test::ModelDisk, Journal, test::VirtualClock>;

  ReplicaHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
              std::string name, Endpoint local, std::uint32_t block_count);

  // --- the daemon
  // It may refuse: then it stays down, and problem() says why.
  void start();
  void kill();
  // The whole machine, in the middle of whatever it does.
  void cut_power();
  bool up() const { return cycle_ != nullptr; }
  const std::string& problem() const { return problem_; }
  std::size_t turn();
  std::uint64_t next_due_ns() const { return up() ? disk_.next_due_ns() : UINT64_MAX; }
  std::uint64_t paused_until_ns = 0;  // SIGSTOP

  // An operator gives it an empty journal and archive.
  void reseed();

  // --- faults
  test::ModelDisk& disk() { return disk_; }
  HostFiles& files() { return files_; }
  SuperblockRecord& superblock() { return superblock_; }
  std::size_t platter_size() const { return size_; }
  // What it said to be safe was not kept by its medium; the checks then count it as a failed
  // replica.
  bool impaired = false;

  // --- for checks
  const std::string& name() const { return name_; }
  Endpoint endpoint() const { return local_; }
  const Journal* journal() const { return journal_.get(); }
  // Whose stream its journal is; null: blank.
  StreamIdentity stream() const { return decode_superblock(superblock_).stream; }
  bool damaged() const;
  bool archive_failed() const { return archiver_ && !archiver_->status().failure.empty(); }
  Position archive_end() const {
    return archiver_ ? archiver_->end_watch().end().released_bytes : Position{};
  }
  // What its source released without a quorum, as it would know after a restart.
  ExposureState exposures() const {
    return exposure_bytes_ ? *decode_exposure_state(*exposure_bytes_) : ExposureState{};
  }
  // What its server has been fed.
  Position fed() const { return fed_; }
  std::uint64_t reseeds() const { return reseeds_; }
  std::uint64_t openings() const { return openings_; }
  // What a power cut at this very moment would leave.
  RecoveredJournal recover() const;
  ConstBytes platter() const { return {platter_.get(), size_}; }
  JournalMeta stored_meta() const { return decode_superblock(superblock_); }
  std::string archive_path(std::uint32_t number) const;
  const HostFiles& files() const { return files_; }
  const std::string& refusal() const { return refusal_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::size_t size);

  void format();
  void forget();
  void control();
  void admit(const HelloMessage& message);
  void take_exposures(const HelloMessage& message, const FrameView& frame);
  std::string judge(const FrameView& frame, const wire::HelloBody& body);
  void add_archive_digest(AdmittedHello& hello, const std::string& basename);
  void watch_repair();
  void feed();

  test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  std::string name_;
  Endpoint local_;
  std::size_t size_;
  // What survives the daemon.
  Memory platter_;
  SuperblockRecord superblock_;
  HostFiles files_;
  std::optional<std::vector<std::byte>> exposure_bytes_;
  Position fed_;
  std::uint64_t reseeds_ = 0;
  std::uint64_t openings_ = 0;
  test::FakePort port_;
  test::ModelDisk disk_;
  // The daemon.
  Memory image_;
  std::unique_ptr<HostSuperblock> store_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Cycle::Queues> queues_;
  std::unique_ptr<Cycle> cycle_;
  std::unique_ptr<TrackedGroups> groups_;
  std::unique_ptr<Archiver> archiver_;
  std::optional<ExposureRecord> exposures_;
  LogMark damaged_until_;
  std::string problem_;
  std::string refusal_;
  std::uint64_t control_ns_ = 0;
  std::uint64_t archive_ns_ = 0;
};

}  // namespace binlane::sim

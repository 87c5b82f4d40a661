// ReplicaHost: a replica's machine in virtual time: the real lane, journal, recovery, superblock
// logic, archiver and group tracker over a model disk and model files.
//
// control() stands for ReplicaControl's thread (replica_admit.cpp), start() does what Daemon and
// JournalFile do, and what a promotion asks of its own log is OwnLog's (replica_own_log.cpp): keep
// those alike.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/archive_pruner.h"
#include "control/feed_glue.h"
#include "control/loan.h"
#include "control/promotion.h"
#include "control/replica_admission.h"
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

class ReplicaHost final : private AdmissionHost {
 public:
  using Cycle = ReplicaCycle<test::FakePort, test::ModelDisk, Journal, test::VirtualClock>;

  ReplicaHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
              std::string name, Endpoint local, const PeerList& sources, std::uint32_t block_count);

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
  // As `binlane term reset` does, with the daemon stopped.
  void reset_promise(const Promise& promise);

  // No source is served from now on, and this is what it is told; empty: they are.
  void refuse_all(const std::string& reason) { refuse_all_ = reason; }

  // --- its own promotion, as OwnLog: empty, or what went wrong
  std::string fence_for(const Promise& promise);
  std::string settled(const Promise& promise, bool& done);
  // What is held, for the proof.
  std::string describe(const Promise& promise, PromotionLog& log);
  // The whole stream, archive and journal together.
  std::string export_to(const Promise& promise, BinlogStore& store);
  std::string cut(const Promise& promise, Position to, Epoch epoch, bool& done);
  std::string release(const Promise& promise, Position to);
  Fetch::State look_at(Fetch& fetch, std::uint64_t now_ns) const;
  // What a candidate asked of it, as ReplicaControl.
  const Loan& loan() const { return loan_; }

  // --- faults
  test::ModelDisk& disk() { return disk_; }
  HostFiles& files() { return files_; }
  SuperblockRecord& superblock() { return superblock_; }
  bool exposures_failing = false;  // the record of what was released without a quorum
  std::size_t platter_size() const { return size_; }
  // From now on its archive is pruned by that; nothing: it is not.
  void prune_by(const std::optional<RetentionPolicy>& policy);
  // What it said to be safe was not kept by its medium; the checks then count it as a failed
  // replica.
  bool impaired = false;

  // --- for checks
  const std::string& name() const { return name_; }
  Endpoint endpoint() const { return local_; }
  const Journal* journal() const { return journal_ ? &*journal_ : nullptr; }
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
  // What its server has been fed of the stream that it holds.
  Position fed() const { return fed_; }
  // And of the one before, which was sealed.
  Position fed_before() const { return fed_before_; }
  std::uint64_t streams_switched() const { return streams_switched_; }
  // Archived files that were deleted because nobody needed them, of the stream that it holds: all
  // before this one.
  std::uint32_t first_kept() const { return first_kept_; }
  std::uint64_t files_pruned() const { return pruner_ ? pruner_->view().removed_files : 0; }
  std::uint64_t reseeds() const { return reseeds_; }
  std::uint64_t openings() const { return openings_; }
  // What a power cut at this very moment would leave.
  RecoveredJournal recover() const;
  ConstBytes platter() const { return {platter_.get(), size_}; }
  JournalMeta stored_meta() const { return decode_superblock(superblock_); }
  // A file of the stream that it holds.
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
  void pass_on(const AdmittedHello& hello);
  // --- AdmissionHost
  std::string refuse_all() override;
  bool is_news(const wire::HelloBody& body, const Promise& candidate) override;
  void hear(const wire::HelloBody& body, const Promise& candidate) override;
  std::string source_alive() override;
  ReplicaLaneMarks marks() override;
  ArchiverStatus archive() override;
  std::optional<std::uint32_t> digest_archive(Position end, std::uint64_t length) override;
  std::optional<HeldGroups> held_groups() override;
  std::string count_groups(Divergence& divergence) override;
  void diverge(const Divergence& divergence) override;
  std::string adopt_stream(const StreamIdentity& stream, const LogMark& learner) override;
  std::string follow_stream(const StreamIdentity& stream, Position sealed_at, bool& done) override;
  std::string lend(const std::string& borrower, const Promise& promise) override;
  void show_state();
  void prune();
  // As ReplicaSide's.
  std::string folder() const;
  bool make_parts();
  std::string switch_stream(const StreamIdentity& next, Position sealed_at);
  // As OwnLog's.
  std::string with_log(const Promise& promise) const;
  void stand_still();
  void feed();

  test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  std::string name_;
  Endpoint local_;
  PeerList sources_;
  std::size_t size_;
  // What survives the daemon.
  Memory platter_;
  SuperblockRecord superblock_;
  HostFiles files_;
  std::optional<std::vector<std::byte>> exposure_bytes_;
  Position fed_;
  Position fed_before_;
  Position executed_;  // by its server, which is a little late
  std::uint32_t first_kept_ = 0;
  std::optional<ArchivePruner> pruner_;
  std::uint64_t streams_switched_ = 0;
  std::uint64_t reseeds_ = 0;
  std::uint64_t openings_ = 0;
  test::FakePort port_;
  test::ModelDisk disk_;
  // The daemon.
  Memory image_;
  std::unique_ptr<HostSuperblock> store_;
  std::optional<Journal> journal_;  // in place, since the cycle holds on to it
  std::unique_ptr<Cycle::Queues> queues_;
  std::unique_ptr<Cycle> cycle_;
  std::unique_ptr<TrackedGroups> groups_;
  std::unique_ptr<Archiver> archiver_;
  std::optional<ExposureRecord> exposures_;
  bool exposures_failed_ = false;  // an error is final for the process that met it
  std::optional<ReplicaAdmission> admission_;
  Loan loan_;
  std::string refuse_all_;
  std::string problem_;
  std::string refusal_;
  std::uint64_t control_ns_ = 0;
  std::uint64_t archive_ns_ = 0;
  std::uint64_t prune_ns_ = 0;
};

}  // namespace binlane::sim

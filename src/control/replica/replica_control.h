// ReplicaControl: what a replica does outside its lane, turn by turn.
//
// It has ReplicaAdmission judge the HELLOs, and hands them to the lane, which answers. It does what
// only an ordinary thread can do for that: it reads the archive, quiesces the lane, and switches
// the journal to the stream that follows a sealed one. [S2] It also notices when a damaged journal
// is repaired. It has no thread of its own: ReplicaPlatform calls work().
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "control/config/config.h"
#include "control/exposure/exposure_record.h"
#include "control/replica/log_transfer.h"
#include "control/replica/replica_admission.h"
#include "control/replica/replica_lane.h"
#include "control/replica/stranger_watch.h"
#include "storage/journal/journal_store.h"

namespace binlane {

class ReplicaSide;

// The current source, as it introduced itself while this host was refusing all sources.
struct Successor {
  std::string name;
  Promise candidate;
  StreamIdentity stream;
  // The stream before it, and where that stream ended.
  Uuid sealed_origin;
  std::uint32_t sealed_term = 0;
  Position sealed_at;
  std::uint32_t sealed_digest =
      0;  // of the file that contains the seal, from its start to the seal

  bool operator==(const Successor&) const = default;
};

class ReplicaControl : private AdmissionHost {
 public:
  struct View {
    std::vector<QueueCount> queues;  // between the lane and other threads
    StreamIdentity stream;
    Uuid journal_id;
    Promise promise;
    std::vector<std::string> rules;  // quorum rules on record, the oldest first
    std::vector<SealedStream> sealed;
    std::string source_name;  // of the last source that was admitted
    // Why this replica, or the source, refused the last HELLO; empty if neither did.
    std::string refusal;
    LogMark damaged_until;    // null: nothing is damaged
    LogMark learner_until;    // null: this replica is no learner
    ExposureState exposures;  // what the source released without a quorum; whether we diverged
    std::vector<std::string> diverged_groups;  // the first of those that the later term lacks
    std::uint64_t exposure_failures = 0;       // lists of exposures that could not be recorded
    std::string exposure_failure;              // why; empty while they can be recorded
    std::uint64_t hellos = 0;
    std::uint64_t hellos_refused = 0;
    std::uint64_t hellos_foreign = 0;    // another cluster's or another replica's
    std::uint64_t hellos_not_bound = 0;  // the sender had to repeat it with an answer of ours
    std::uint64_t promises_put_off = 0;  // HELLOs that wanted a promise before the next one was due
    std::uint64_t streams_switched = 0;
    // While a session runs: for how long nothing has arrived from its source. `away`: for longer
    // than kPeerTimeoutNs. The session may still continue.
    std::uint64_t silent_ns = 0;
    bool away = false;
    ReplicaLaneMarks marks;
  };

  // `side` owns this.
  ReplicaControl(const Config& config, ReplicaSide& side);
  ReplicaControl(const ReplicaControl&) = delete;
  ReplicaControl& operator=(const ReplicaControl&) = delete;

  // One turn. Control thread of the replica.
  void work();
  // Control thread: updates the view after a change of the journal's superblock or of the record of
  // exposures.
  void show_meta();
  // Any thread.
  View view() const;

  // Any thread: from now on this host refuses every source with this reason. An empty reason ends
  // that.
  void refuse_all(const std::string& reason);
  // Any thread: the largest term in which another host asked to be our source while we refused all.
  std::uint32_t deposed_by() const noexcept { return deposed_by_.load(std::memory_order_relaxed); }
  // Any thread: that host, once it has begun a stream of its own.
  std::optional<Successor> successor() const;
  // Any thread: the name of the source that this host itself is; empty if it is none.
  void tell_source_alive(const std::string& name);
  // Any thread: which hosts may fetch this host's log. Until this is called, none may.
  void lend_to(std::vector<std::string> borrowers);
  // Any thread: the last request to fetch it.
  TransferRequest transfer() const;

 private:
  // --- AdmissionHost
  std::string refuse_all() override;
  bool is_news(const wire::HelloBody& body, const Promise& candidate) override;
  void hear(const wire::HelloBody& body, const Promise& candidate) override;
  std::string source_alive() override;
  ReplicaLaneMarks marks() override;
  ArchiverStatus archive() override;
  std::optional<std::uint32_t> digest_archive(Position end, std::uint64_t length) override;
  std::optional<HeldGroups> held_groups() override;
  Status count_groups(Divergence& divergence) override;
  void diverge(const Divergence& divergence) override;
  Status adopt_stream(const StreamIdentity& stream, const LogMark& learner) override;
  Status follow_stream(const StreamIdentity& stream, Position sealed_at) override;
  Status lend(const std::string& joiner, const Promise& promise) override;

  void admit(const HelloMessage& message);
  void record_exposures(const HelloMessage& message, const FrameView& frame);
  void note_refusal(const std::string& refusal);
  void watch_repair();
  void watch_files(const ReplicaLaneMarks& marks);
  void watch_source(const ReplicaLaneMarks& marks);

  ReplicaSide& side_;
  JournalStore& store_;
  ReplicaLane& lane_;
  std::atomic<std::uint32_t> deposed_by_{0};
  ReplicaAdmission admission_;
  std::vector<std::string> diverged_groups_;  // the first groups of the last count
  bool journal_failure_said_ = false;
  bool exposure_failure_said_ = false;
  StrangerWatch strangers_{"list that host in [replica] sources"};

  mutable std::mutex mutex_;  // never held during I/O: status must answer while the disk is slow
  std::string refuse_all_;    // guarded by mutex_
  std::string own_source_;    // guarded by mutex_; this host's name while it is a source
  std::optional<Successor> successor_;  // guarded by mutex_
  std::vector<std::string> borrowers_;  // guarded by mutex_
  TransferRequest transfer_;            // guarded by mutex_
  View view_;                           // guarded by mutex_
};

}  // namespace binlane

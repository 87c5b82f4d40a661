// ReplicaControl: the ordinary thread behind a replica's lane.
//
// It has HELLOs judged (ReplicaAdmission) and hands them to the lane, which answers; does for that
// what only it can: reads the archive, has the lane stand still, goes over to the stream that
// follows a sealed one (S2). It also watches over a damaged journal's repair.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/heartbeat.h"
#include "base/position.h"
#include "control/config.h"
#include "control/exposure_record.h"
#include "control/loan.h"
#include "control/replica_admission.h"
#include "control/replica_lane.h"
#include "control/stranger_watch.h"
#include "storage/journal_file.h"

namespace binlane {

class ReplicaSide;

// Whoever is the source now, as it told this host while that refused everybody.
struct Successor {
  std::string name;
  Promise candidate;
  StreamIdentity stream;
  // The stream before it, and where that ended.
  Uuid sealed_origin;
  std::uint32_t sealed_term = 0;
  Position sealed_at;
  std::uint32_t sealed_digest = 0;  // of the file it ended in, from its first byte to there

  bool operator==(const Successor&) const = default;
};

class ReplicaControl : private AdmissionHost {
 public:
  struct View {
    StreamIdentity stream;
    Uuid journal_id;
    Promise promise;
    std::vector<std::string> rules;
    std::vector<SealedStream> sealed;
    std::string source_name;  // of the last source that was admitted
    std::string
        refusal;  // why the last HELLO was refused, by us or by the source; empty: it was not
    LogMark damaged_until;    // null: nothing is damaged
    LogMark learner_until;    // null: it is none
    ExposureState exposures;  // what the source released without a quorum; whether we diverged
    std::vector<std::string> diverged_groups;  // the first of those that the later term lacks
    std::uint64_t exposure_failures = 0;       // lists that could not be put on record
    std::string exposure_failure;              // why; empty while they can
    std::uint64_t hellos = 0;
    std::uint64_t hellos_refused = 0;
    std::uint64_t hellos_foreign = 0;    // another cluster's or another replica's
    std::uint64_t hellos_not_bound = 0;  // to be repeated with an answer that we gave
    std::uint64_t promises_put_off = 0;  // wanted sooner than one is given
    std::uint64_t streams_switched = 0;
    // While in a session: since when nothing was heard of its source. `away`: longer than
    // kPeerTimeoutNs; the session may still go on.
    std::uint64_t silent_ns = 0;
    bool away = false;
    ReplicaLaneMarks marks;
  };

  // `side` owns this.
  ReplicaControl(const Config& config, ReplicaSide& side);
  ~ReplicaControl() override;
  ReplicaControl(const ReplicaControl&) = delete;
  ReplicaControl& operator=(const ReplicaControl&) = delete;

  void start();
  void stop();
  View view() const;
  const Heartbeat& heartbeat() const noexcept { return heart_; }

  // Any thread: no source is served from now on, and this is what it is told; empty: they are.
  void refuse_all(const std::string& reason);
  // The largest term with which another host wanted to be our source while all were refused.
  std::uint32_t deposed_by() const noexcept { return deposed_by_.load(std::memory_order_relaxed); }
  // Who that was, once it has begun a stream of its own. Any thread.
  std::optional<Successor> successor() const;
  // Any thread: which source this host is itself; empty: none.
  void tell_source_alive(const std::string& name);
  // Any thread: who may borrow this host's log; nobody may before.
  void lend_to(std::vector<std::string> borrowers);
  // The last request to lend it. Any thread.
  Loan loan() const;
  // Another thread: has `work` done on this one, between two HELLOs, and waits for it. False when
  // this thread has ended before.
  bool call(const std::function<void()>& work);

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
  std::string count_groups(Divergence& divergence) override;
  void diverge(const Divergence& divergence) override;
  std::string adopt_stream(const StreamIdentity& stream, const LogMark& learner) override;
  std::string follow_stream(const StreamIdentity& stream, Position sealed_at, bool& done) override;
  std::string lend(const std::string& borrower, const Promise& promise) override;

  void run();
  void work();
  void admit(const HelloMessage& message);
  void record_exposures(const HelloMessage& message, const FrameView& frame);
  void note_refusal(const std::string& refusal);
  void watch_repair();
  void watch_files(const ReplicaLaneMarks& marks);
  void watch_source(const ReplicaLaneMarks& marks);
  void show_meta();

  ReplicaSide& side_;
  JournalFile& file_;
  ReplicaLane& lane_;
  std::atomic<std::uint32_t> deposed_by_{0};
  ReplicaAdmission admission_;
  std::vector<std::string> diverged_groups_;  // the first of those that were counted last
  bool journal_failure_said_ = false;
  bool exposure_failure_said_ = false;
  StrangerWatch strangers_{"list it in [replica] sources"};

  mutable std::mutex mutex_;  // never held over I/O: status must answer while the disk is slow
  std::condition_variable wake_;
  std::condition_variable called_;
  bool stopping_ = false;
  bool ended_ = true;
  const std::function<void()>* call_ = nullptr;  // guarded by mutex_
  std::string refuse_all_;                       // guarded by mutex_
  std::string own_source_;                       // guarded by mutex_; this host, while it is one
  std::optional<Successor> successor_;           // guarded by mutex_
  std::vector<std::string> borrowers_;           // guarded by mutex_
  Loan loan_;                                    // guarded by mutex_
  View view_;
  Heartbeat heart_;
  std::thread thread_;
};

}  // namespace binlane

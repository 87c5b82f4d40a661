// ReplicaControl: the ordinary thread behind a replica's lane.
//
// It admits HELLOs: checks that cluster, names and stream are ours, makes durable what must be
// before an answer (the journal's stream, the promise: safety rule S1), adds what only files can
// tell (the digest of the archive's end), and hands them to the lane, which answers. It also
// watches over a damaged journal's repair.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/position.h"
#include "control/config.h"
#include "control/replica_lane.h"
#include "storage/journal_file.h"

namespace binlane {

class ReplicaControl {
 public:
  struct View {
    StreamIdentity stream;
    Uuid journal_id;
    Promise promise;
    std::string source_name;  // of the last source that was admitted
    std::string
        refusal;  // why the last HELLO was refused, by us or by the source; empty: it was not
    LogMark damaged_until;  // null: nothing is damaged
    std::uint64_t hellos = 0;
    std::uint64_t hellos_refused = 0;
    std::uint64_t hellos_foreign = 0;  // another cluster's or another replica's
    ReplicaLaneMarks marks;
  };

  // `archived` gives the end of what the archive holds on stable storage. All outlive this.
  ReplicaControl(const Config& config, JournalFile& file, ReplicaLane& lane,
                 std::function<Position()> archived);
  ~ReplicaControl();
  ReplicaControl(const ReplicaControl&) = delete;
  ReplicaControl& operator=(const ReplicaControl&) = delete;

  void start();
  void stop();
  View view() const;

 private:
  void run();
  void work();
  void admit(const HelloMessage& message);
  std::string judge(const FrameView& frame, const wire::HelloBody& body);
  void note_refusal(const std::string& refusal);
  void add_archive_digest(AdmittedHello& hello, const std::string& basename);
  void watch_repair();

  const Config& config_;
  JournalFile& file_;
  ReplicaLane& lane_;
  std::function<Position()> archived_;
  std::uint64_t cluster_id_;
  std::string archive_dir_;

  mutable std::mutex mutex_;  // never held over I/O: status must answer while the disk is slow
  std::condition_variable wake_;
  bool stopping_ = false;
  View view_;
  std::thread thread_;
};

}  // namespace binlane

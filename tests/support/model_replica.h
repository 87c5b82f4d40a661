// ModelReplica: a replica's host in virtual time: the real lane, journal and recovery over a model
// disk, and just enough of control and archive threads around them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/lane/replica_cycle.h"
#include "fake_network.h"
#include "memory_stream.h"
#include "model_disk.h"
#include "storage/journal/journal.h"
#include "storage/journal/recovery.h"

namespace binlane::test {

// The cluster that the model's hosts belong to.
inline constexpr std::uint64_t kCluster = 0xc1;

class ModelReplica {
 public:
  using Cycle = ReplicaCycle<FakePort, ModelDisk, Journal, VirtualClock>;

  ModelReplica(VirtualClock& clock, FakeNetwork& network, std::uint64_t seed, std::string name,
               Endpoint local, std::uint32_t block_count);

  // The process starts: recovery from platter and superblock.
  void open();
  // kill -9 and a power cut at once.
  void crash();
  bool up() const { return cycle_ != nullptr; }

  std::size_t turn() { return up() ? cycle_->do_work() : 0; }
  // One round of the control thread and of the archive thread.
  void run_threads(const Uuid& stream_origin);

  const std::string& name() const { return name_; }
  Endpoint endpoint() const { return local_; }
  const Uuid& journal_uuid() const { return meta_.journal; }
  const Journal* journal() const { return journal_.get(); }
  ModelDisk& disk() { return disk_; }
  std::size_t sessions_seen() const { return sessions_; }
  ReplicaLaneMarks marks() const { return queues_->marks.load(); }
  // What a power cut at this very moment would leave: the end of the log that recovery finds.
  Position durable_on_platter() const;

  // The archive, as one string of units per file, and where it ends.
  const std::map<std::uint32_t, std::vector<std::byte>>& archive() const { return archive_; }
  Position archive_end() const { return archive_end_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::size_t size);

  void admit(const HelloMessage& message, const Uuid& stream_origin);
  void archive_released();

  VirtualClock& clock_;
  std::string name_;
  Endpoint local_;
  std::size_t size_;
  Memory platter_;
  Memory image_;
  FakePort port_;
  ModelDisk disk_;
  JournalMeta meta_;  // the superblock, stored at once
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Cycle::Queues> queues_;
  std::unique_ptr<Cycle> cycle_;
  std::unique_ptr<JournalCursor> cursor_;
  std::map<std::uint32_t, std::vector<std::byte>> archive_;
  Position archive_end_;
  std::size_t sessions_ = 0;
  std::uint64_t answers_ = 0;
};

}  // namespace binlane::test

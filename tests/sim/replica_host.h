// ReplicaHost: a replica's machine in virtual time: production's ReplicaSide, with everything below
// it, over a model disk, model files, and a server that executes what it is fed.
//
// The one thread of the simulator runs lane, control, archive and feed in turns. This class adds
// what is outside a daemon: media, time and the server; and it opens the journal, as JournalFile
// does in production.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binlog_store.h"
#include "control/config/config.h"
#include "control/replica/replica_platform.h"
#include "control/replica/replica_side.h"
#include "fed_server.h"
#include "host_files.h"
#include "host_folders.h"
#include "host_superblock.h"
#include "random.h"
#include "storage/journal/journal.h"
#include "storage/journal/recovery.h"
#include "support/fake_network.h"
#include "support/model_disk.h"
#include "trace.h"

namespace binlane::sim {

inline constexpr const char* kArchiveDirectory = "archive";
inline constexpr const char* kClusterName = "simulated";

// The source's side of the same daemon. It begins and ends with the replica's side.
class OtherSide {
 public:
  OtherSide() = default;
  OtherSide(const OtherSide&) = delete;
  OtherSide& operator=(const OtherSide&) = delete;
  virtual ~OtherSide() = default;

  // The replica's side exists, and has not begun yet. Throws StartupError.
  virtual void make() = 0;
  virtual void begin() = 0;
  // It may not exist.
  virtual void end() = 0;
};

class ReplicaHost final : private ReplicaPlatform {
 public:
  ReplicaHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
              std::string name, Endpoint local, const PeerList& sources, std::uint32_t block_count);
  ~ReplicaHost() override;

  // --- the daemon
  // The daemon may refuse to start. Then it stays down, and problem() says why.
  void start();
  void kill();
  // The power of the whole machine fails, in the middle of whatever it does.
  void cut_power();
  bool up() const { return side_ != nullptr; }
  const std::string& problem() const { return problem_; }
  std::size_t turn();
  std::uint64_t next_due_ns() const { return up() ? disk_.next_due_ns() : UINT64_MAX; }
  std::uint64_t paused_until_ns = 0;  // SIGSTOP

  // An operator gives it an empty journal and archive.
  void reseed();
  // Does what `binlane term reset` does, with the daemon stopped.
  void reset_promise(const Promise& promise);

  // Null: there is none. It is not called after this.
  void set_other_side(OtherSide* other) { other_ = other; }

  // What production's control of the source works with; only while the daemon runs.
  ReplicaSide& side() { return *side_; }
  FedServer& server() { return server_; }
  const FedServer& server() const { return server_; }

  // --- faults
  test::ModelDisk& disk() { return disk_; }
  HostFiles& files() override { return files_; }
  HostFolders& folders() override { return folders_; }
  SuperblockRecord& superblock() { return superblock_; }
  bool exposures_failing = false;  // stores of the record of exposures fail
  std::size_t platter_size() const { return size_; }
  // From now on its archive is pruned by this policy; nothing: it is not pruned.
  void prune_by(const std::optional<RetentionPolicy>& policy);
  // Its medium did not keep what it had acknowledged as safe. The checks count it as a failed
  // replica then.
  bool impaired = false;

  // --- for checks
  const std::string& name() const { return name_; }
  Endpoint endpoint() const { return local_; }
  const Journal* journal() const { return up() ? &side_->lane().journal() : nullptr; }
  // The stream that its journal holds; null: the journal is blank.
  StreamIdentity stream() const { return decode_superblock(superblock_).stream; }
  bool damaged() const;
  bool archive_failed() const;
  Position archive_end() const;
  // The exposures that it would know of after a restart.
  ExposureState exposures() const {
    return exposure_bytes_ ? *decode_exposure_state(*exposure_bytes_) : ExposureState{};
  }
  // How far its server has been fed of the stream that it holds.
  Position fed() const { return server_.fed(); }
  // The same for the previous stream, which was sealed.
  Position fed_before() const { return server_.fed_before(); }
  std::uint64_t streams_switched() const { return streams_switched_; }
  // What its server has executed, as GTIDs.
  std::string executed_gtid();
  // Archived files that were deleted because nobody needed them, of the stream that it holds: all
  // before this one.
  std::uint32_t first_kept() const { return first_kept_; }
  std::uint64_t files_pruned() const { return up() ? side_->retention().removed_files : 0; }
  std::uint64_t reseeds() const { return reseeds_; }
  std::uint64_t openings() const { return openings_; }
  // What a power cut at this moment would leave.
  RecoveredJournal recover() const;
  ConstBytes platter() const { return {platter_.get(), size_}; }
  JournalMeta stored_meta() const { return decode_superblock(superblock_); }
  // The path of a file of the stream that it holds.
  std::string archive_path(std::uint32_t number) const;
  const HostFiles& files() const { return files_; }
  // Why this replica, or its source, refused the last HELLO.
  std::string refusal() const;

 private:
  using Lane = ReplicaLaneOver<test::FakePort, test::ModelDisk, test::VirtualClock>;
  class TurnedLane;
  class OwnFeed;
  class OwnExecuted;
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::size_t size);

  void format();
  void forget();
  void archive();
  void prune();
  std::string folder() const;
  // --- ReplicaPlatform
  JournalStore& store() override { return *store_; }
  ReplicaLane& lane() override;
  std::optional<std::vector<std::byte>> load_exposures() override { return exposure_bytes_; }
  int store_exposures(ConstBytes bytes) override;
  std::unique_ptr<Feed> make_feed(FeedOptions options, FeedLimit& limit) override;
  std::unique_ptr<ExecutedWatch> make_executed_watch(AppliedWatch::Options options,
                                                     FeedLimit& limit,
                                                     std::function<bool(Position)> tell) override;
  std::string start_archiver(Archiver& archiver) override;
  void start_control(std::function<void()> turn) override { control_turn_ = std::move(turn); }
  void stop_control() override { control_turn_ = nullptr; }
  bool call(const std::function<void()>& work) override;

  test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  std::string name_;
  Endpoint local_;
  PeerList sources_;
  std::size_t size_;
  Config config_;
  // What outlives the daemon.
  Memory platter_;
  SuperblockRecord superblock_;
  HostFiles files_;
  HostFolders folders_{files_};
  std::optional<std::vector<std::byte>> exposure_bytes_;
  FedServer server_;
  std::optional<RetentionPolicy> retention_;  // by the operator; nothing: everything is kept
  std::uint32_t first_kept_ = 0;
  StreamIdentity held_stream_;
  std::uint64_t streams_switched_ = 0;
  FedServer::Place executed_;  // and which GTIDs that is
  std::string executed_gtid_;
  std::uint64_t reseeds_ = 0;
  std::uint64_t openings_ = 0;
  test::FakePort port_;
  test::ModelDisk disk_;
  // The daemon.
  Memory image_;
  std::unique_ptr<HostSuperblock> store_;
  std::unique_ptr<TurnedLane> lane_;
  std::unique_ptr<ReplicaSide> side_;
  bool exposures_failed_ = false;        // after one error the process stores no exposures any more
  const Archiver* archiving_ = nullptr;  // the one that works
  OwnFeed* feed_ = nullptr;              // of the present stream
  std::function<void()> control_turn_;
  OtherSide* other_ = nullptr;
  std::string problem_;
  std::uint64_t control_ns_ = 0;
  std::uint64_t archive_ns_ = 0;
  std::uint64_t prune_ns_ = 0;
};

}  // namespace binlane::sim

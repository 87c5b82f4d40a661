// SystemReplicaPlatform: the platform of a replica on a real host: the journal's file, a lane over
// the configured port, and threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/config/config.h"
#include "control/replica/replica_platform.h"
#include "control/replica/replica_thread.h"
#include "dataplane/port/any_port.h"
#include "storage/durable_record.h"
#include "storage/journal/journal_disk.h"
#include "storage/journal/journal_file.h"

namespace binlane {

class SystemReplicaPlatform final : public ReplicaPlatform {
 public:
  // Opens the journal, or creates it. `port` must outlive this object. Throws StartupError.
  SystemReplicaPlatform(const Config& config, AnyPort& port);

  // --- lane's thread; attach() comes first, once
  void attach() { disk_.attach(); }
  std::size_t do_work() noexcept { return lane_.do_work(); }
  std::size_t batch() const noexcept { return lane_.batch(); }
  bool wait(std::uint64_t length_ns) noexcept {
    if (lane_.journal().idle()) return false;
    disk_.wait(length_ns);
    return true;
  }

  // --- any thread, for status
  std::string describe_disk() const { return disk_.describe(); }
  const Heartbeat& heartbeat() const noexcept { return thread_.heartbeat(); }

  // --- ReplicaPlatform
  JournalStore& store() override { return *file_; }
  ReplicaLane& lane() override { return lane_; }
  ArchiveIo& files() override { return archive_io_; }
  BinlogFolders& folders() override { return folders_; }
  std::optional<std::vector<std::byte>> load_exposures() override { return exposures_.load(); }
  int store_exposures(ConstBytes bytes) override { return exposures_.store(bytes); }
  std::unique_ptr<Feed> make_feed(FeedOptions options, FeedLimit& limit) override;
  std::unique_ptr<ExecutedWatch> make_executed_watch(AppliedWatch::Options options,
                                                     FeedLimit& limit,
                                                     std::function<bool(Position)> tell) override;
  std::string start_archiver(Archiver& archiver) override { return archiver.start(); }
  void start_control(std::function<void()> turn) override { thread_.start(std::move(turn)); }
  void stop_control() override { thread_.stop(); }
  bool call(const std::function<void()>& work) override { return thread_.call(work); }

 private:
  std::unique_ptr<JournalFile> file_;
  DurableRecord exposures_;
  ArchiveIo archive_io_;
  PosixBinlogFolders folders_;
  JournalDisk disk_;
  MonotonicClock clock_;
  ReplicaLaneOver<AnyPort, JournalDisk, MonotonicClock> lane_;
  ReplicaThread thread_;
};

}  // namespace binlane

#include "control/replica/system_replica_platform.h"

#include <utility>

#include "base/assert.h"
#include "control/config/config_value.h"
#include "control/config/peer_config.h"
#include "shim/feed/binlog_server.h"

namespace binlane {
namespace {

// Appended to the journal's path.
constexpr const char* kExposureSuffix = ".exposed";

std::unique_ptr<JournalFile> open_journal(const ReplicaConfig& replica) {
  JournalFileOptions options;
  options.path = replica.journal;
  options.size_bytes = replica.journal_size_mb << 20;
  options.danger_buffered = replica.danger_buffered_journal;
  return std::unique_ptr<JournalFile>(new JournalFile(JournalFile::open_or_format(options)));
}

}  // namespace

SystemReplicaPlatform::SystemReplicaPlatform(const Config& config, AnyPort& port)
    : file_(open_journal(*config.replica)),
      exposures_(config.replica->journal + kExposureSuffix),
      disk_(*file_),
      lane_(port, disk_, clock_, *file_, cluster_id_of(config.cluster), config.name,
            replica_sources(config).peers) {}

std::unique_ptr<Feed> SystemReplicaPlatform::make_feed(FeedOptions options, FeedLimit& limit) {
  return std::make_unique<BinlogServer>(std::move(options), limit);
}

std::unique_ptr<ExecutedWatch> SystemReplicaPlatform::make_executed_watch(
    AppliedWatch::Options options, FeedLimit& limit, std::function<bool(Position)> tell) {
  return std::make_unique<AppliedWatch>(std::move(options), limit, std::move(tell));
}

}  // namespace binlane

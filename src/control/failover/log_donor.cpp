#include "control/failover/log_donor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "control/stream/old_stream_identity.h"

namespace binlane {

LogDonor::LogDonor(const Config& config, ReplicaSide& replica, LaneHandle& lane,
                   BinlogFolders& folders, const TimeSource& time,
                   std::vector<SessionManager::Replica> hosts)
    : config_(config), replica_(replica), stream_(lane, folders, time), hosts_(std::move(hosts)) {
  std::vector<std::string> names;
  for (const SessionManager::Replica& host : hosts_) names.push_back(host.name);
  replica_.control().lend_to(std::move(names));
  remove_copy();  // left by a binlaned that was killed while it served its log
}

void LogDonor::work(std::uint64_t now_ns) {
  const TransferRequest transfer = replica_.control().transfer();
  if (!transfer.wanted(now_ns)) return stop();
  if (phase_ == Phase::idle || transfer.promise != transfer_.promise) begin(transfer);
  if (phase_ == Phase::drain) {
    const Status served = begin_serving();
    if (served.is_ok()) phase_ = Phase::serve;
    if (served.is_failed()) {
      log::error("lending", "cannot serve this host's log to {}: {}", transfer_.joiner,
                 served.text());
      stop();
      phase_ = Phase::refused;
    }
  }
  if (phase_ != Phase::serve) return;
  stream_.tell_synced(released_);
  stream_.sessions().take_replies(now_ns);
}

void LogDonor::begin(const TransferRequest& transfer) {
  stop();
  transfer_ = transfer;
  log_.emplace(replica_, transfer.promise);
  log::warning(
      "lending",
      "term {}: {} holds less of the stream than this host, so this host serves its log to it",
      transfer.promise.term, transfer.joiner);
  phase_ = Phase::drain;
}

Status LogDonor::begin_serving() {
  BL_ASSERT(log_ && !stream_.serving());
  if (Status drained = log_->drained(); !drained.is_ok()) return drained;
  PromotionLog log;
  if (Status described = log_->describe(log); !described.is_ok()) return described;
  const Result<SealedFiles> files = log_->export_to(folder());
  if (!files.is_ok()) return files.status();
  released_ = log.released;
  BL_ASSERT(released_ <= files.value().end);
  const auto joiner = std::find_if(hosts_.begin(), hosts_.end(), [this](const auto& host) {
    return host.name == transfer_.joiner;
  });
  BL_ASSERT(joiner != hosts_.end());  // ReplicaControl refuses every other joiner
  // A rule that the joiner alone satisfies: its ACKs show its progress, and nothing else follows.
  QuorumRule rule;
  rule.number = 1;
  rule.clause_count = 1;
  rule.clauses[0] = {ReplicaSet{1}, 1};
  const JournalMeta meta = replica_.store().meta();
  return stream_.begin(files.value(),
                       old_stream_identity(cluster_id_of(config_.cluster), config_.name,
                                           meta.stream, meta, transfer_.promise),
                       rule, {*joiner});
}

void LogDonor::stop() {
  if (phase_ == Phase::idle) return;
  if (stream_.serving()) {
    stream_.end();
    log::info("lending", "term {}: {} does not ask for this host's log any more",
              transfer_.promise.term, transfer_.joiner);
  }
  remove_copy();
  phase_ = Phase::idle;
}

// Hard links in the copy would keep files that the archive has deleted.
void LogDonor::remove_copy() const {
  const int error = replica_.platform().files().remove_directory(folder());
  if (error != 0) log::warning("lent_folder", "cannot remove {}: {}", folder(), errno_text(error));
}

}  // namespace binlane

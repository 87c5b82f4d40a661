#include "control/lender.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "control/old_stream_identity.h"

namespace binlane {

Lender::Lender(const Config& config, ReplicaSide& replica, SourceLane& lane, DumpDrain& drain,
               std::vector<HandshakeDesk::Replica> hosts)
    : config_(config), replica_(replica), server_(lane, drain), hosts_(std::move(hosts)) {
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& host : hosts_) names.push_back(host.name);
  replica_.control().lend_to(std::move(names));
  remove_copy();  // of a daemon that was killed while it lent
}

void Lender::work(std::uint64_t now_ns) {
  const Loan loan = replica_.control().loan();
  if (!loan.wanted(now_ns)) return stop();
  if (phase_ == Phase::idle || loan.promise != loan_.promise) begin(loan);
  bool done = false;
  std::string problem;
  if (phase_ == Phase::settle) problem = settle(done);
  if (!problem.empty()) {
    log::error("lending", "this host's log cannot be lent to {}: {}", loan_.borrower, problem);
    stop();
    phase_ = Phase::refused;
  }
  if (done) phase_ = Phase::serve;
  if (phase_ != Phase::serve) return;
  server_.tell_synced(released_);
  server_.desk().take_replies(now_ns);
}

void Lender::begin(const Loan& loan) {
  stop();
  loan_ = loan;
  log_.emplace(replica_, loan.promise);
  log::warning("lending",
               "term {}: {} holds less of the stream than this host, which lends its log",
               loan.promise.term, loan.borrower);
  phase_ = Phase::settle;
}

std::string Lender::settle(bool& done) {
  bool settled = false;
  if (std::string problem = log_->settled(settled); !problem.empty() || !settled) return problem;
  PromotionLog log;
  SealedFiles files;
  if (std::string problem = log_->describe(log); !problem.empty()) return problem;
  released_ = log.released;
  if (std::string problem = log_->export_to(folder(), files); !problem.empty()) return problem;
  const auto borrower = std::find_if(hosts_.begin(), hosts_.end(), [this](const auto& host) {
    return host.name == loan_.borrower;
  });
  BL_ASSERT(borrower != hosts_.end());  // ReplicaControl asks for no other
  // Its ACKs say how far it is, and nothing else.
  QuorumRule rule;
  rule.number = 1;
  rule.clause_count = 1;
  rule.clauses[0] = {ReplicaSet{1}, 1};
  const JournalMeta meta = replica_.file().meta();
  return server_.begin(files,
                       old_stream_identity(cluster_id_of(config_.cluster), config_.name,
                                           meta.stream, meta, loan_.promise),
                       rule, {*borrower}, done);
}

void Lender::stop() {
  if (phase_ == Phase::idle) return;
  if (server_.serving()) {
    server_.end();
    log::info("lending", "term {}: {} asks no more", loan_.promise.term, loan_.borrower);
  }
  remove_copy();
  phase_ = Phase::idle;
}

// Its hard links would keep files that the archive has given up.
void Lender::remove_copy() const {
  std::error_code error;
  std::filesystem::remove_all(folder(), error);
  if (error) log::warning("lent_folder", "{} cannot be removed: {}", folder(), error.message());
}

}  // namespace binlane

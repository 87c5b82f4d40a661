#include "lender.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "control/old_stream_identity.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;

}  // namespace

Lender::Lender(test::VirtualClock& clock, test::FakeNetwork& network, Random random, Trace& trace,
               ReplicaHost& own, Endpoint local, std::vector<HandshakeDesk::Replica> hosts)
    : clock_(clock),
      random_(random),
      trace_(trace),
      own_(own),
      local_(local),
      hosts_(std::move(hosts)),
      server_(clock, network, local, lent_) {}

std::size_t Lender::turn() {
  if (clock_.time_ns < own_.paused_until_ns) return 0;
  if (phase_ != Phase::idle && (!own_.up() || own_.openings() != opening_)) stop();
  const std::size_t work_done = server_.turn();
  if (own_.up() && clock_.time_ns >= control_ns_) {
    control_ns_ = clock_.time_ns + 1 + random_.below(kTurnNs);
    work(clock_.time_ns);
  }
  return work_done;
}

void Lender::work(std::uint64_t now_ns) {
  const Loan& loan = own_.loan();
  if (!loan.wanted(now_ns)) return stop();
  if (phase_ == Phase::idle || loan.promise != loan_.promise) {
    stop();
    loan_ = loan;
    opening_ = own_.openings();
    phase_ = Phase::settle;
    trace_.note("lends its log", own_.endpoint().ipv4, loan.promise.term);
  }
  bool done = false;
  std::string problem;
  if (phase_ == Phase::settle) problem = settle(done, now_ns);
  if (!problem.empty()) {
    trace_.line("not lent: " + problem);
    stop();
    phase_ = Phase::refused;
  }
  if (done) phase_ = Phase::serve;
  if (phase_ != Phase::serve) return;
  server_.tell_synced(released_);
  server_.desk().take_replies(now_ns);
}

std::string Lender::settle(bool& done, std::uint64_t now_ns) {
  bool settled = false;
  if (std::string problem = own_.settled(loan_.promise, settled); !problem.empty() || !settled)
    return problem;
  PromotionLog log;
  if (std::string problem = own_.describe(loan_.promise, log); !problem.empty()) return problem;
  released_ = log.released;
  lent_.reset();
  if (std::string problem = own_.export_to(loan_.promise, lent_); !problem.empty()) return problem;
  const auto borrower = std::find_if(hosts_.begin(), hosts_.end(), [this](const auto& host) {
    return host.name == loan_.borrower;
  });
  BL_ASSERT(borrower != hosts_.end());
  QuorumRule rule;
  rule.number = 1;
  rule.clause_count = 1;
  rule.clauses[0] = {ReplicaSet{1}, 1};
  const JournalMeta meta = own_.stored_meta();
  std::string problem = server_.begin(old_stream_identity(cluster_id_of(kClusterName), own_.name(),
                                                          meta.stream, meta, loan_.promise),
                                      rule, {*borrower}, now_ns);
  done = problem.empty();
  return problem;
}

void Lender::stop() {
  if (server_.serving()) server_.end();
  phase_ = Phase::idle;
}

}  // namespace binlane::sim

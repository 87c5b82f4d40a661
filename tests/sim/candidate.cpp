#include "candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "control/old_stream_identity.h"
#include "control/promotion_answer.h"
#include "control/quorum_text.h"
#include "shim/stream_scan.h"

namespace binlane::sim {
namespace {

// As in Promoter, and as in SourceControl.
constexpr std::uint64_t kInspectNs = 5 * kNanosPerSecond;
constexpr std::uint64_t kInspectGraceNs = 300 * kNanosPerMilli;
constexpr std::uint64_t kStragglerNs = 10 * kNanosPerSecond;
constexpr int kMaxTermAttempts = 4;
constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;

}  // namespace

Candidate::Candidate(test::VirtualClock& clock, test::FakeNetwork& network, Random random,
                     Trace& trace, ReplicaHost& own, CandidateOptions options)
    : clock_(clock),
      network_(network),
      random_(random),
      trace_(trace),
      own_(own),
      options_(std::move(options)),
      opening_(own.openings()),
      server_of_old_(clock, network, options_.source.local, sealed_) {
  std::string problem = check_host();
  if (problem.empty()) problem = start_term(0);
  if (!problem.empty() && phase_ != Phase::given_up) give_up(problem);
}

std::size_t Candidate::turn() {
  std::size_t work_done = 0;
  if (server_) work_done += server_->turn();
  if (source_) return work_done + source_->turn();
  if (phase_ == Phase::given_up || clock_.time_ns < own_.paused_until_ns) return work_done;
  if (own_.openings() != opening_ || !own_.up()) {
    give_up("this host's daemon has died");
    return work_done;
  }
  work_done += server_of_old_.turn();
  if (clock_.time_ns >= control_ns_) {
    control_ns_ = clock_.time_ns + 1 + random_.below(kTurnNs);
    work(clock_.time_ns);
  }
  return work_done;
}

void Candidate::work(std::uint64_t now_ns) {
  switch (phase_) {
    case Phase::settle:
      return settle(now_ns);
    case Phase::inspect:
      return inspect(now_ns);
    case Phase::fetch:
      return fetch(now_ns);
    case Phase::cut:
      return cut(now_ns);
    case Phase::cover:
      return cover(now_ns);
    case Phase::execute:
      server_of_old_.desk().take_replies(now_ns);
      return execute();
    case Phase::active:
    case Phase::given_up:
      return;
  }
}

std::string Candidate::check_host() const {
  if (!own_.up()) return "this host's daemon is not there";
  const JournalMeta meta = own_.stored_meta();
  if (meta.stream.is_null() || own_.journal()->durable().is_null())
    return "this host holds no stream that it could go on with";
  if (!meta.damaged_until.is_null()) return "this host's journal lost bytes";
  if (own_.exposures().divergence) return "this host is DIVERGED";
  if (!meta.learner_until.is_null()) return "this host's journal has not caught up";
  return {};
}

std::string Candidate::start_term(std::uint32_t largest_seen) {
  const JournalMeta meta = own_.stored_meta();
  const auto term = Promotion::next_term(meta.promise.term, largest_seen);
  if (!term) return "there is no term left";
  promise_ = {*term, options_.source.host_id};
  old_stream_ = meta.stream;
  new_origin_ = Uuid::random();
  store(PromotionStep::fencing);
  ++attempts_;
  if (std::string problem = own_.fence_for(promise_); !problem.empty()) return problem;
  trace_.note("promotion", own_.endpoint().ipv4, promise_.term);
  phase_ = Phase::settle;
  return {};
}

void Candidate::settle(std::uint64_t now_ns) {
  bool done = false;
  std::string problem = own_.settled(promise_, done);
  if (problem.empty() && !done) return wait_for("the journal's writes in flight");
  log_ = {};
  log_.name = own_.name();
  if (problem.empty()) problem = own_.describe(promise_, log_);
  sealed_.reset();
  if (problem.empty()) problem = own_.export_to(promise_, sealed_);
  if (!problem.empty()) return give_up(problem);
  StreamStart newest;
  const ScanResult scan =
      scan_stream(server_of_old_.view(), sealed_.last(), sealed_.last(), newest);
  if (!scan.ok()) return give_up(fmt::format("file {} cannot be read", scan.file));
  whole_groups_ = newest.tracker.last_group_end();
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& peer : options_.source.replicas) names.push_back(peer.name);
  promotion_.emplace(log_, whole_groups_, std::move(names));
  if (!serve(true, now_ns)) return;
  begun_ns_ = now_ns;
  proven_ns_ = 0;
  phase_ = Phase::inspect;
  wait_for("the peers' answers");
}

// The source's lane and handshakes, over the sealed files.
bool Candidate::serve(bool inspecting, std::uint64_t now_ns) {
  const SourceHostOptions& source = options_.source;
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& peer : source.replicas) names.push_back(peer.name);
  SourceHandshake::Identity identity = old_stream_identity(
      cluster_id_of(kClusterName), own_.name(), old_stream_, own_.stored_meta(), promise_);
  identity.rule_number = source.rule.number;
  identity.rule = to_string(source.rule, names);
  identity.inspect = inspecting;
  const std::string problem = server_of_old_.begin(identity, source.rule, source.replicas, now_ns);
  if (!problem.empty()) give_up(problem);
  return problem.empty();
}

void Candidate::inspect(std::uint64_t now_ns) {
  server_of_old_.desk().take_replies(now_ns);
  const auto peers = server_of_old_.desk().view();
  take_inspections(*promotion_, peers);
  const std::uint32_t seen = promised_elsewhere(peers);
  if (seen >= promise_.term && attempts_ < kMaxTermAttempts) {
    server_of_old_.end();
    if (const std::string problem = start_term(seen); !problem.empty()) give_up(problem);
    return;
  }
  if (now_ns - begun_ns_ > kInspectNs) promotion_->close();
  proof_ = promotion_->proof();
  switch (promotion_->verdict()) {
    case PromotionVerdict::open:
      return wait_for(promotion_->reason());
    case PromotionVerdict::refused:
      better_ = promotion_->better_candidate();
      return give_up(promotion_->reason());
    case PromotionVerdict::lesser:
    case PromotionVerdict::proven:
      break;
  }
  if (proven_ns_ == 0) proven_ns_ = now_ns;
  if (!promotion_->complete() && now_ns - proven_ns_ < kInspectGraceNs)
    return wait_for("peers that may hold a longer log");
  if (promotion_->verdict() == PromotionVerdict::proven) return seal();
  better_ = promotion_->better_candidate();
  if (attempts_ == kMaxTermAttempts) return give_up(promotion_->reason());
  trace_.line(promotion_->reason() + ", and that is fetched first");
  fetch_.emplace(promise_.term, promotion_->better_end(), now_ns);
  server_of_old_.desk().borrow_from(better_);
  phase_ = Phase::fetch;
}

void Candidate::fetch(std::uint64_t now_ns) {
  server_of_old_.desk().take_replies(now_ns);
  for (const HandshakeDesk::ReplicaView& peer : server_of_old_.desk().view()) {
    if (peer.name == better_ && !peer.refusal.empty())
      return give_up(promotion_->reason() + "; it does not lend it: " + peer.refusal);
  }
  switch (own_.look_at(*fetch_, now_ns)) {
    case Fetch::State::waiting:
      return wait_for("what " + better_ + " holds beside this host");
    case Fetch::State::stalled:
      return give_up(promotion_->reason() + "; nothing of it came");
    case Fetch::State::done:
      break;
  }
  trace_.note("fetched", own_.endpoint().ipv4, promise_.term);
  ++fetches_;
  better_.clear();
  server_of_old_.end();
  if (const std::string problem = start_term(promise_.term); !problem.empty()) give_up(problem);
}

void Candidate::seal() {
  for (const std::string& line : proof_) trace_.line(line);
  server_of_old_.end();
  sealed_at_ = promotion_->sealed_at();
  sealed_.cut(sealed_at_);
  store(PromotionStep::sealed);
  trace_.note("stream sealed", promise_.term, sealed_at_.file, sealed_at_.offset);
  phase_ = Phase::cut;
  if (on_sealed) on_sealed();
}

void Candidate::cut(std::uint64_t now_ns) {
  bool done = false;
  const std::string problem = own_.cut(promise_, sealed_at_, {promise_.term, 0}, done);
  if (!problem.empty()) return give_up(problem);
  if (!done) return wait_for("the journal's record of the new term");
  if (!serve(false, now_ns)) return;
  begun_ns_ = 0;
  phase_ = Phase::cover;
}

void Candidate::cover(std::uint64_t now_ns) {
  server_of_old_.desk().take_replies(now_ns);
  if (server_of_old_.desk().deposed_by() > promise_.term)
    return give_up("a later term has begun elsewhere");
  server_of_old_.tell_synced(sealed_at_);
  const SourceMarks marks = server_of_old_.marks();
  if (marks.epoch != Epoch{promise_.term, 0} || marks.released_at < sealed_at_)
    return wait_for("the rule to cover the seal");
  if (step_ == PromotionStep::sealed) store(PromotionStep::released);
  if (const std::string problem = own_.release(promise_, sealed_at_); !problem.empty())
    return give_up(problem);
  if (begun_ns_ == 0) begun_ns_ = now_ns;
  if (stragglers(marks, now_ns)) return;
  phase_ = Phase::execute;
}

bool Candidate::stragglers(const SourceMarks& marks, std::uint64_t now_ns) {
  std::string names;
  for (std::size_t i = 0; i < options_.source.replicas.size(); ++i) {
    const ReplicaMarks& peer = marks.replicas[i];
    if (peer.connected && peer.durable < marks.written)
      names += " " + options_.source.replicas[i].name;
  }
  if (names.empty() || now_ns - begun_ns_ > kStragglerNs) return false;
  wait_for("these replicas to reach the end of the sealed stream:" + names);
  return true;
}

void Candidate::execute() {
  if (own_.archive_end() != sealed_at_) return wait_for("the local server to execute everything");
  store(PromotionStep::executed);
  server_of_old_.end();
  activate();
}

// The file that the server begins now is the new stream's first.
void Candidate::activate() {
  MysqldOptions server = options_.server;
  server.first_gtid = options_.next_gtid(sealed_);
  server.enabled_at_start = false;  // binlaned switches it ON (a standby has it OFF)
  server.read_only_at_start = true;
  server_ = std::make_unique<Mysqld>(clock_, random_.fork(), trace_, binlogs_, server);
  SourceHostOptions source = options_.source;
  source.standby_beside = true;
  source.sealed_origin = old_stream_.origin;
  source.sealed_term = old_stream_.term;
  source.sealed_at = sealed_at_;
  source_ = std::make_unique<SourceHost>(clock_, network_, random_.fork(), trace_, binlogs_,
                                         *server_, source);
  SourceState state;
  state.origin = new_origin_;
  state.epoch = {promise_.term, 0};
  state.basename = kBasename;
  state.stream_start = {server.first_file, 0};
  state.quorum = {server.first_file, kBinlogMagicSize};
  source_->adopt_state(state);
  store(PromotionStep::active);
  own_.refuse_all("this host is a source itself");
  phase_ = Phase::active;
  waiting_for_.clear();
  if (on_active) on_active();
  server_->start();
  source_->start();
}

void Candidate::store(PromotionStep step) {
  BL_ASSERT(may_follow(step_, step));
  step_ = step;
  ever_released_ = ever_released_ || step >= PromotionStep::released;
}

void Candidate::give_up(const std::string& reason) {
  trace_.line("promotion refused: " + reason);
  for (const std::string& line : proof_) trace_.line(line);
  server_of_old_.end();
  if (may_follow(step_, PromotionStep::none)) step_ = PromotionStep::none;
  refusal_ = reason;
  waiting_for_.clear();
  phase_ = Phase::given_up;
}

void Candidate::wait_for(const std::string& what) {
  if (what == waiting_for_) return;
  waiting_for_ = what;
  trace_.line("promotion waits for " + what);
}

}  // namespace binlane::sim

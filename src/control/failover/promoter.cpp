#include "control/failover/promoter.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "control/config/quorum_text.h"
#include "control/failover/promotion_answer.h"
#include "control/failover/promotion_plan.h"
#include "control/stream/old_stream_identity.h"

namespace binlane {

Promoter::Promoter(const Config& config, LaneHandle& lane, BinlogFolders& folders,
                   const TimeSource& time, ReplicaSide& replica, RoleFile& role,
                   SourceStateFile& state, StandbyServer& server,
                   std::vector<SessionManager::Replica> peers)
    : config_(config),
      folders_(folders),
      time_(time),
      replica_(replica),
      role_(role),
      state_(state),
      server_(server),
      peers_(std::move(peers)),
      stream_(lane, folders, time),
      preflight_(config, lane, replica, server, peers_),
      own_writes_(server) {}

std::vector<SessionManager::ReplicaView> Promoter::peers() const {
  return stream_.serving() ? stream_.sessions().view() : std::vector<SessionManager::ReplicaView>();
}

std::vector<std::string> Promoter::peer_names() const {
  std::vector<std::string> names;
  for (const SessionManager::Replica& peer : peers_) names.push_back(peer.name);
  return names;
}

std::string Promoter::sealed_folder(std::uint32_t term) const {
  return fmt::format("{}/sealed/{}", config_.data_dir, term);
}

// Once the new stream has begun, or nothing was decided, the folders are of no use: the archive has
// the same bytes.
void Promoter::remove_sealed_folders() const {
  const std::string folder = config_.data_dir + "/sealed";
  const int error = replica_.platform().files().remove_directory(folder);
  if (error != 0) log::warning("sealed_folder", "cannot remove {}: {}", folder, errno_text(error));
}

// --- before anybody is fenced --------------------------------------------------------------------

void Promoter::begin_preflight(bool from_live_source, bool dry_run) {
  BL_ASSERT(!running() && role_.state().role == HostRole::standby);
  view_ = {};
  // A decision stands if it was given up in memory only, because the disk did not take that.
  if (resume_of(record().step) == PromotionResume::go_on) {
    if (dry_run)
      return refuse("a promotion of this host is already decided; binlane promote continues it");
    return resume();
  }
  attempts_ = 0;
  succeeded_ = false;
  dry_run_ = dry_run;
  preflight_.begin(role_.state().host_id, from_live_source);
  view_.running = true;
  phase_ = Phase::preflight;
}

void Promoter::refuse(const std::string& reason) {
  view_ = {};
  refuse_unchanged(reason);
}

void Promoter::preflight(std::uint64_t now_ns) {
  const Status status = preflight_.work(now_ns);
  if (status.is_pending()) return wait_for(preflight_.waiting_for());
  view_.proof = dry_run_ ? promotion_plan(log_at_a_glance(config_.name, replica_),
                                          preflight_.term(), preflight_.lines())
                         : preflight_.lines();
  if (status.is_failed()) return refuse_unchanged(status.text());
  view_.waiting_for.clear();
  phase_ = Phase::idle;
  view_.running = false;
  if (dry_run_) return;
  const Status begun = start_term(preflight_.largest_promise());
  // give_up() has set the refusal already.
  if (begun.is_failed() && view_.refusal.empty()) refuse_unchanged(begun.text());
}

void Promoter::refuse_unchanged(const std::string& reason) {
  view_.refusal = reason + " (nothing was changed)";
  view_.waiting_for.clear();
  view_.running = false;
  phase_ = Phase::idle;
  if (!dry_run_) log::error("promotion_refused", "{}", view_.refusal);
}

// --- up to the decision --------------------------------------------------------------------------

Status Promoter::start_term(std::uint32_t largest_seen) {
  const JournalMeta meta = replica_.store().meta();
  const auto term = Promotion::next_term(meta.promise.term, largest_seen);
  if (!term) return Status::failed("there is no later term: the largest one is promised");
  BL_ASSERT(*term > meta.promise.term && *term > largest_seen);
  PromotionRecord next;
  next.step = PromotionStep::fencing;
  next.term = *term;
  next.old_stream = meta.stream;
  next.new_origin = Uuid::random();
  if (Status stored = store(next); !stored.is_ok()) return stored;
  ++attempts_;
  log_.emplace(replica_, Promise{*term, role_.state().host_id});
  if (Status fenced = log_->fence(); !fenced.is_ok()) {
    give_up(fenced.text());
    return fenced;
  }
  log::warning(
      "promotion",
      "term {}: this host asks for this term, and serves no source of an earlier one any more",
      *term);
  phase_ = Phase::drain;
  return Status::ok();
}

void Promoter::resume() {
  BL_ASSERT(!running());
  const PromotionRecord found = record();
  view_.step = found.step;
  view_.term = found.term;
  switch (resume_of(found.step)) {
    case PromotionResume::nothing:
      return;
    case PromotionResume::give_up:
      log::warning("promotion", "the promotion in term {} was interrupted before it was proven",
                   found.term);
      give_up("the promotion was interrupted before it was proven; run binlane promote again");
      return;
    case PromotionResume::go_on:
      break;
  }
  log::warning("promotion", "the promotion in term {} continues after step {}", found.term,
               to_string(found.step));
  view_.running = true;
  log_.emplace(replica_, Promise{found.term, role_.state().host_id});
  files_ = {sealed_folder(found.term), found.old_stream.basename, 0, found.sealed_at, {}};
  files_.first = found.sealed_at.file;
  wanted_gtids_.clear();
  const auto binlogs = folders_.open(files_.directory, files_.basename);
  while (files_.first > 1 && OpenBinlog(*binlogs, files_.first - 1).error() == 0) --files_.first;
  BL_ASSERT(!found.sealed_at.is_null() && files_.first > 0);
  const bool executed = BL_MUTANT(resumed_behind_its_step, found.step >= PromotionStep::released,
                                  found.step == PromotionStep::executed);
  phase_ = executed ? Phase::activate : Phase::truncate;
}

void Promoter::work(std::uint64_t now_ns) {
  switch (phase_) {
    case Phase::idle:
      return;
    case Phase::preflight:
      return preflight(now_ns);
    case Phase::drain:
      return drain();
    case Phase::inspect:
      return inspect(now_ns);
    case Phase::fetch:
      return fetch(now_ns);
    case Phase::truncate:
      return truncate();
    case Phase::cover:
      return cover(now_ns);
    case Phase::execute:
      stream_.sessions().take_replies(now_ns);
      return execute();
    case Phase::activate:
      return activate(now_ns);
  }
}

void Promoter::drain() {
  if (!goes_on(log_->drained(), "the journal's writes in flight to end")) return;
  candidate_ = {};
  candidate_.name = config_.name;
  if (!goes_on(log_->describe(candidate_), {})) return;
  const Result<SealedFiles> files = log_->export_to(sealed_folder(record().term));
  if (!files.is_ok()) return give_up(files.status().text());
  files_ = files.value();
  BL_ASSERT(files_.end == candidate_.end);
  promotion_.emplace(candidate_, files_.whole_groups, peer_names());
  if (!goes_on(serve(true), "the source's lane to stop")) return;
  begun_ns_ = time_.now_ns();
  proven_ns_ = 0;
  phase_ = Phase::inspect;
  wait_for("the peers' answers");
}

// Serves the sealed folder with the source's lane and handshakes.
Status Promoter::serve(bool inspecting) {
  const PromotionRecord promotion = record();
  BL_ASSERT(promotion.step != PromotionStep::none && inspecting == promotion.sealed_at.is_null());
  SourceHandshake::Identity identity =
      old_stream_identity(cluster_id_of(config_.cluster), config_.name, promotion.old_stream,
                          replica_.store().meta(), {promotion.term, role_.state().host_id});
  identity.rule_number = config_.source->quorum.number;
  identity.rule = to_string(config_.source->quorum, config_.source->replica_names());
  identity.inspect = inspecting;
  return stream_.begin(files_, identity, config_.source->quorum, peers_);
}

void Promoter::inspect(std::uint64_t now_ns) {
  stream_.sessions().take_replies(now_ns);
  const auto peers = stream_.sessions().view();
  take_inspections(*promotion_, peers);
  // Some peers may have promised this term, or a later one, to another candidate.
  const std::uint32_t seen = promised_elsewhere(peers);
  if (seen >= record().term && attempts_ < kMaxTermAttempts) {
    log::warning("promotion",
                 "term {} is promised to another candidate; this host asks for a later one", seen);
    stream_.end();
    goes_on(start_term(seen), {});
    return;
  }
  if (now_ns - begun_ns_ > kInspectNs) promotion_->close();
  view_.proof = promotion_->proof();
  const auto exposed = exposure_lines(replica_.control().view().exposures, candidate_.end);
  view_.proof.insert(view_.proof.end(), exposed.begin(), exposed.end());
  switch (promotion_->verdict()) {
    case PromotionVerdict::open:
      return wait_for("the peers' answers: " + promotion_->reason());
    case PromotionVerdict::refused:
      view_.better_candidate = promotion_->better_candidate();
      return give_up(promotion_->reason());
    case PromotionVerdict::lesser:
    case PromotionVerdict::proven:
      break;
  }
  if (proven_ns_ == 0) proven_ns_ = now_ns;
  if (!promotion_->complete() && now_ns - proven_ns_ < kInspectGraceNs)
    return wait_for("peers that may hold a longer log");
  if (promotion_->verdict() == PromotionVerdict::proven) return seal();
  view_.better_candidate = promotion_->better_candidate();
  if (attempts_ == kMaxTermAttempts) return give_up(promotion_->reason());
  log::warning("promotion", "term {}: {}; this host fetches that first", record().term,
               promotion_->reason());
  fetch_.emplace(record().term, promotion_->better_end(), now_ns);
  stream_.sessions().borrow_from(view_.better_candidate);
  phase_ = Phase::fetch;
}

// Fetches what the donor holds and this host lacks; the donor is this host's source for that time.
// Then the promotion begins again in a later term, which compares all logs anew.
void Promoter::fetch(std::uint64_t now_ns) {
  stream_.sessions().take_replies(now_ns);
  const std::string& donor = view_.better_candidate;
  BL_ASSERT(fetch_ && !donor.empty());
  const std::uint32_t term = record().term;
  for (const SessionManager::ReplicaView& peer : stream_.sessions().view()) {
    if (peer.name == donor && !peer.refusal.empty())
      return give_up(fmt::format("{}; that host does not serve its log: {}", promotion_->reason(),
                                 peer.refusal));
  }
  const ReplicaLaneMarks marks = replica_.lane().queues().marks.load();
  switch (fetch_->look(marks.epoch, marks.durable, now_ns)) {
    case TransferProgress::State::waiting:
      return wait_for(fmt::format("what {} holds and this host lacks, up to {}", donor,
                                  to_string(fetch_->end())));
    case TransferProgress::State::stalled:
      return give_up(fmt::format("{}; for {} s nothing of that has arrived", promotion_->reason(),
                                 kTransferStallNs / kNanosPerSecond));
    case TransferProgress::State::done:
      break;
  }
  log::warning("promotion", "term {}: this host holds all that {} holds, up to {}", term, donor,
               to_string(fetch_->end()));
  view_.better_candidate.clear();
  stream_.end();
  goes_on(start_term(term), {});
}

// --- its record, and what operators see ----------------------------------------------------------

Status Promoter::store(const PromotionRecord& record) {
  RoleState role = role_.state();
  BL_ASSERT(may_follow(role.promotion.step, record.step));
  BL_ASSERT(record.step < PromotionStep::sealed || !record.sealed_at.is_null());
  role.promotion = record;
  const int error = role_.store(role);
  view_.running = record.step != PromotionStep::none;
  view_.step = record.step;
  view_.term = record.term;
  if (error == 0) return Status::ok();
  log::error("role_not_stored", "cannot store the host's role: {}", errno_text(error));
  return Status::failed(fmt::format("cannot record the promotion: {}", errno_text(error)));
}

void Promoter::give_up(const std::string& reason) {
  log::error("promotion_refused", "term {}: {}", record().term, reason);
  for (const std::string& line : view_.proof) log::error("promotion_proof", "{}", line);
  stream_.end();
  PromotionRecord none;
  none.term = record().term;
  // If the disk refuses this, the older record decides what a restart does.
  if (may_follow(record().step, PromotionStep::none) && store(none).is_ok())
    remove_sealed_folders();
  view_.running = false;
  view_.refusal = reason;
  view_.waiting_for.clear();
  phase_ = Phase::idle;
}

void Promoter::wait_for(const std::string& what) {
  if (what == view_.waiting_for) return;
  view_.waiting_for = what;
  log::info("promotion_waits", "{}", what);
}

bool Promoter::goes_on(const Status& status, const std::string& waits_for) {
  if (status.is_pending()) wait_for(waits_for);
  // If the promotion has ended already, its refusal is set.
  if (status.is_failed() && running()) give_up(status.text());
  return status.is_ok();
}

}  // namespace binlane

#include "control/promoter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "control/config_value.h"
#include "control/old_stream_identity.h"
#include "control/promotion_answer.h"
#include "control/promotion_plan.h"
#include "control/quorum_text.h"
#include "shim/archive_gtids.h"
#include "shim/binlog_index.h"
#include "shim/fixed_feed_limit.h"
#include "shim/server_facts.h"
#include "shim/standby_check.h"
#include "storage/archive_files.h"

namespace binlane {
namespace {

// How often the server's GTID positions are looked at until they agree, and the pause between.
constexpr int kOwnWriteLooks = 50;
constexpr std::chrono::milliseconds kOwnWritePause{20};

}  // namespace

Promoter::Promoter(const Config& config, SourceLane& lane, ReplicaSide& replica, RoleFile& role,
                   SourceStateFile& state, DumpDrain& drain, ServerConnection& sql,
                   std::vector<HandshakeDesk::Replica> peers)
    : config_(config),
      replica_(replica),
      role_(role),
      state_(state),
      sql_(sql),
      server_(lane, drain),
      looks_(lane),
      peers_(std::move(peers)) {}

std::string Promoter::sealed_folder(std::uint32_t term) const {
  return fmt::format("{}/sealed/{}", config_.data_dir, term);
}

// Of no use once the new stream has begun, or nothing was decided: the archive has the same bytes.
void Promoter::remove_sealed_folders() const {
  const std::string folder = config_.data_dir + "/sealed";
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) log::warning("sealed_folder", "{} cannot be removed: {}", folder, error.message());
}

void Promoter::begin(bool from_live_source) {
  begin_survey(from_live_source, false);
}

void Promoter::plan(bool from_live_source) {
  begin_survey(from_live_source, true);
}

void Promoter::begin_survey(bool from_live_source, bool dry_run) {
  BL_ASSERT(!running() && role_.state().role == HostRole::standby);
  view_ = {};
  attempts_ = 0;
  succeeded_ = false;
  from_live_source_ = from_live_source;
  dry_run_ = dry_run;
  std::string problem = check_host();
  if (problem.empty()) problem = check_server();
  const auto term = Promotion::next_term(replica_.file().meta().promise.term, 0);
  if (problem.empty() && !term) problem = "there is no term left";
  if (dry_run && !problem.empty())
    view_.proof = promotion_plan(log_at_a_glance(config_.name, replica_), term.value_or(0), {});
  if (!problem.empty()) return refuse_unchanged(problem);
  look_term_ = *term;
  looking_ = false;
  survey_.reset();
  view_.running = true;
  phase_ = Phase::survey;
}

void Promoter::refuse(const std::string& reason) {
  view_ = {};
  refuse_unchanged(reason);
}

// False: the lane does not stand still yet.
bool Promoter::look(std::uint64_t now_ns) {
  const JournalMeta meta = replica_.file().meta();
  if (!looks_.begin(old_stream_identity(cluster_id_of(config_.cluster), config_.name, meta.stream,
                                        meta, {look_term_, role_.state().host_id}),
                    peers_))
    return false;
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& peer : peers_) names.push_back(peer.name);
  survey_.emplace(log_at_a_glance(config_.name, replica_), std::move(names), now_ns);
  return true;
}

HeardSource Promoter::heard_source() const {
  const ReplicaControl::View view = replica_.control().view();
  if (!view.marks.connected) return {};
  return {view.source_name, view.marks.heard_ns};
}

void Promoter::survey(std::uint64_t now_ns) {
  if (!looking_) looking_ = look(now_ns);
  if (!looking_) return wait_for("the lane to stand still");
  looks_.desk().take_replies(now_ns);
  survey_->take(looks_.desk().view(), heard_source(), now_ns);
  // A later term is promised already: what the peers say of ours is not what they would say of one
  // after that.
  const std::uint32_t seen = survey_->largest_promise();
  if (const auto later = Promotion::next_term(0, seen);
      seen >= look_term_ && later && attempts_ < kMaxTermAttempts) {
    ++attempts_;
    look_term_ = *later;
    looks_.end();
    looking_ = false;
    return;
  }
  const PromotionSurvey::State state = survey_->state(from_live_source_, now_ns);
  if (state == PromotionSurvey::State::asking) return wait_for("the peers' answers");
  looks_.end();
  std::vector<std::string> seen_lines = survey_->lines(now_ns);
  seen_lines.insert(seen_lines.end(), standby_warnings_.begin(), standby_warnings_.end());
  for (const std::string& warning : standby_warnings_) log::warning("standby", "{}", warning);
  if (dry_run_) {
    view_.proof = promotion_plan(log_at_a_glance(config_.name, replica_), look_term_, seen_lines);
  } else {
    view_.proof = std::move(seen_lines);
  }
  if (state == PromotionSurvey::State::refused)
    return refuse_unchanged(survey_->reason(from_live_source_));
  view_.waiting_for.clear();
  phase_ = Phase::idle;
  view_.running = false;
  if (dry_run_) return;
  attempts_ = 0;
  const std::string problem = start_term(seen);
  if (problem.empty() || !view_.refusal.empty()) return;
  refuse_unchanged(problem);
}

// Before anybody was fenced.
void Promoter::refuse_unchanged(const std::string& reason) {
  view_.refusal = reason + " (nothing was changed)";
  view_.waiting_for.clear();
  view_.running = false;
  phase_ = Phase::idle;
  if (!dry_run_) log::error("promotion_refused", "{}", view_.refusal);
}

std::string Promoter::check_host() const {
  const JournalMeta meta = replica_.file().meta();
  if (meta.stream.is_null() || replica_.lane().queues().marks.load().durable.is_null())
    return "this host holds no stream that it could go on with";
  if (!meta.damaged_until.is_null())
    return "this host's journal lost bytes that it had acknowledged, and has not got them back";
  if (replica_.control().view().exposures.divergence)
    return "this host is DIVERGED: its server was fed what a later term does not hold; rebuild it";
  if (!meta.learner_until.is_null())
    return "this host's journal began anew and has not caught up with what was there before";
  return {};
}

// What would otherwise show only when there is no way back.
std::string Promoter::check_server() {
  if (!sql_.is_connected()) {
    const SqlError error = sql_.connect();
    if (!error.ok())
      return fmt::format("cannot connect to the server at {}: {}", config_.source->server_socket,
                         to_string(error));
  }
  const ServerFactsResult facts = read_server_facts(sql_);
  if (!facts.ok())
    return fmt::format("cannot read the server's settings: {}", to_string(facts.error));
  const SourceCheck check =
      check_source(facts.facts, static_cast<std::uint32_t>(config_.source->acker_server_id));
  if (!check.accepted())
    return fmt::format("this host's server cannot be a source: {}", to_string(check.refusals[0]));
  const QueryResult updates = sql_.query("SELECT @@GLOBAL.log_slave_updates");
  if (!updates.ok()) return to_string(updates.error);
  if (updates.rows.empty() || updates.rows[0][0] != "1")
    return "log_slave_updates is OFF: the server's binlog would not know what it has executed; "
           "start it with log_slave_updates=ON";
  if (std::string problem = check_standby_server(); !problem.empty()) return problem;
  return check_own_writes();
}

std::string Promoter::check_standby_server() {
  standby_warnings_.clear();
  const StandbyFactsResult read = read_standby_facts(sql_);
  if (!read.error.ok()) return to_string(read.error);
  const SourceCheck check = check_standby(read.facts, endpoint_text(config_.replica->feed_listen));
  for (const Finding& warning : check.warnings)
    standby_warnings_.push_back("this host's server: " + to_string(warning));
  return check.accepted() ? std::string()
                          : "this host's server cannot take over: " + to_string(check.refusals[0]);
}

// Whether the server has written anything by itself, which no replica could ever get: the new
// stream begins behind it.
std::string Promoter::check_own_writes() {
  std::string followed;
  std::string written;
  // The binlog is read first, and what it holds shows in gtid_slave_pos once it is committed: a
  // transaction of the old source that is being executed at this moment is seen on a later look.
  for (int look = 0; look < kOwnWriteLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kOwnWritePause);
    const QueryResult binlog = sql_.query("SELECT @@GLOBAL.gtid_binlog_pos");
    if (!binlog.ok()) return to_string(binlog.error);
    const QueryResult replica = sql_.query("SELECT @@GLOBAL.gtid_slave_pos");
    if (!replica.ok()) return to_string(replica.error);
    if (binlog.rows.empty() || replica.rows.empty())
      return "the server does not tell its GTID positions";
    written = binlog.rows[0][0].value_or("");
    followed = replica.rows[0][0].value_or("");
    const auto in_binlog = GtidPosition::parse(written);
    const auto from_source = GtidPosition::parse(followed);
    if (from_source && in_binlog && covers(*from_source, *in_binlog)) return {};
  }
  return fmt::format(
      "this host's server has written transactions of its own: it has executed {} as "
      "a replica, and its binlog stands at {}; rebuild it",
      followed, written);
}

std::string Promoter::start_term(std::uint32_t largest_seen) {
  const JournalMeta meta = replica_.file().meta();
  const auto term = Promotion::next_term(meta.promise.term, largest_seen);
  if (!term) return "there is no term left";
  PromotionRecord next;
  next.step = PromotionStep::fencing;
  next.term = *term;
  next.old_stream = meta.stream;
  next.new_origin = Uuid::random();
  if (!store(next)) return "the promotion cannot be put on record";
  ++attempts_;
  log_.emplace(replica_, Promise{*term, role_.state().host_id});
  if (std::string problem = log_->fence(); !problem.empty()) {
    give_up(problem);
    return problem;
  }
  log::warning("promotion", "term {}: this host bids for it, and serves no older source any more",
               *term);
  phase_ = Phase::settle;
  return {};
}

void Promoter::resume() {
  PromotionRecord found = record();
  view_.step = found.step;
  view_.term = found.term;
  switch (resume_of(found.step)) {
    case PromotionResume::nothing:
      return;
    case PromotionResume::give_up:
      log::warning("promotion", "the promotion in term {} was interrupted before it was proven",
                   found.term);
      give_up("it was interrupted before it was proven; ask for it again");
      return;
    case PromotionResume::go_on:
      break;
  }
  log::warning("promotion", "the promotion in term {} goes on behind step {}", found.term,
               to_string(found.step));
  view_.running = true;
  log_.emplace(replica_, Promise{found.term, role_.state().host_id});
  files_ = {sealed_folder(found.term), found.old_stream.basename, 0, found.sealed_at, {}};
  files_.first = found.sealed_at.file;
  const PosixBinlogFiles binlogs(files_.directory, files_.basename);
  while (files_.first > 1) {
    const int handle = binlogs.open(files_.first - 1);
    if (handle < 0) break;
    binlogs.close(handle);
    --files_.first;
  }
  phase_ = found.step == PromotionStep::executed ? Phase::activate : Phase::cut;
}

void Promoter::work(std::uint64_t now_ns) {
  switch (phase_) {
    case Phase::idle:
      return;
    case Phase::survey:
      return survey(now_ns);
    case Phase::settle:
      return settle();
    case Phase::inspect:
      return inspect(now_ns);
    case Phase::fetch:
      return fetch(now_ns);
    case Phase::cut:
      return cut();
    case Phase::cover:
      return cover(now_ns);
    case Phase::execute:
      server_.desk().take_replies(now_ns);
      return execute();
    case Phase::activate:
      return activate();
  }
}

void Promoter::settle() {
  bool done = false;
  std::string problem = log_->settled(done);
  if (problem.empty() && !done) return wait_for("the journal's writes in flight");
  candidate_ = {};
  candidate_.name = config_.name;
  if (problem.empty()) problem = log_->describe(candidate_);
  if (problem.empty()) problem = log_->export_to(sealed_folder(record().term), files_);
  if (!problem.empty()) return give_up(problem);
  std::vector<std::string> names;
  for (const HandshakeDesk::Replica& peer : peers_) names.push_back(peer.name);
  promotion_.emplace(candidate_, files_.whole_groups, std::move(names));
  if (!serve(true)) return;
  begun_ns_ = monotonic_ns();
  proven_ns_ = 0;
  phase_ = Phase::inspect;
  wait_for("the peers' answers");
}

// The source's lane and handshakes, over the sealed folder.
bool Promoter::serve(bool inspecting) {
  const PromotionRecord promotion = record();
  SourceHandshake::Identity identity =
      old_stream_identity(cluster_id_of(config_.cluster), config_.name, promotion.old_stream,
                          replica_.file().meta(), {promotion.term, role_.state().host_id});
  identity.rule_number = config_.source->quorum.number;
  identity.rule = to_string(config_.source->quorum, config_.source->replica_names());
  identity.inspect = inspecting;
  bool begun = false;
  const std::string problem =
      server_.begin(files_, identity, config_.source->quorum, peers_, begun);
  if (!problem.empty())
    give_up(problem);
  else if (!begun)
    wait_for("the lane to stand still");
  return begun;
}

void Promoter::inspect(std::uint64_t now_ns) {
  server_.desk().take_replies(now_ns);
  const auto peers = server_.desk().view();
  take_inspections(*promotion_, peers);
  // Peers that have promised this term, or a later one, to somebody else.
  const std::uint32_t seen = promised_elsewhere(peers);
  if (seen >= record().term && attempts_ < kMaxTermAttempts) {
    log::warning("promotion", "term {} is promised to somebody already: bidding for a later one",
                 seen);
    server_.end();
    if (const std::string problem = start_term(seen); !problem.empty()) give_up(problem);
    return;
  }
  if (now_ns - begun_ns_ > kInspectNs) promotion_->close();
  view_.proof = promotion_->proof();
  const auto exposed = exposure_lines(replica_.control().view().exposures, candidate_.end);
  view_.proof.insert(view_.proof.end(), exposed.begin(), exposed.end());
  switch (promotion_->verdict()) {
    case PromotionVerdict::open:
      return wait_for(promotion_->reason());
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
  log::warning("promotion", "term {}: {}; that is fetched first", record().term,
               promotion_->reason());
  fetch_.emplace(record().term, promotion_->better_end(), now_ns);
  server_.desk().borrow_from(view_.better_candidate);
  phase_ = Phase::fetch;
}

// What somebody else holds, who is this host's source for that long; then the same again in a later
// term, in which the logs are compared anew.
void Promoter::fetch(std::uint64_t now_ns) {
  server_.desk().take_replies(now_ns);
  const std::string& lender = view_.better_candidate;
  const std::uint32_t term = record().term;
  for (const HandshakeDesk::ReplicaView& peer : server_.desk().view()) {
    if (peer.name == lender && !peer.refusal.empty())
      return give_up(
          fmt::format("{}; it does not lend it: {}", promotion_->reason(), peer.refusal));
  }
  const ReplicaLaneMarks marks = replica_.lane().queues().marks.load();
  switch (fetch_->look(marks.epoch, marks.durable, now_ns)) {
    case Fetch::State::waiting:
      return wait_for(fmt::format("what {} holds beside this host, up to {}", lender,
                                  to_string(fetch_->end())));
    case Fetch::State::stalled:
      return give_up(fmt::format("{}; nothing of it came for {} s", promotion_->reason(),
                                 kFetchStallNs / kNanosPerSecond));
    case Fetch::State::done:
      break;
  }
  log::warning("promotion", "term {}: this host holds all that {} holds, up to {}", term, lender,
               to_string(fetch_->end()));
  view_.better_candidate.clear();
  server_.end();
  if (const std::string problem = start_term(term); !problem.empty()) give_up(problem);
}

// The decision.
void Promoter::seal() {
  for (const std::string& line : view_.proof) log::warning("promotion_proof", "{}", line);
  server_.end();
  PromotionRecord next = record();
  next.step = PromotionStep::sealed;
  next.sealed_at = promotion_->sealed_at();
  if (std::string problem = cut_files(files_, next.sealed_at); !problem.empty())
    return give_up(problem);
  const auto digest = digest_archive(files_.directory, files_.basename, next.sealed_at, UINT64_MAX);
  next.sealed_digest = digest.digest;
  next.gtid = sealed_gtid();
  if (next.gtid.empty())
    return give_up("the GTID state at the end of the stream cannot be told from its files");
  if (!store(next)) return give_up("the promotion cannot be put on record");
  log::warning("promotion", "term {}: the stream {} is sealed at {} (GTID {})", next.term,
               to_string(next.old_stream), to_string(next.sealed_at), next.gtid);
  phase_ = Phase::cut;
}

// What a server stands at that has executed all of the sealed files' whole event groups.
std::string Promoter::sealed_gtid() const {
  FixedFeedLimit limit;
  limit.set(files_.whole_groups);
  ArchiveGtids gtids({files_.directory, files_.basename}, limit, [] { return false; });
  const auto history = gtids.history();
  return history ? history->position().text() : std::string();
}

void Promoter::cut() {
  const PromotionRecord promotion = record();
  bool done = false;
  const std::string problem = log_->cut(promotion.sealed_at, {promotion.term, 0}, done);
  if (!problem.empty()) return give_up(problem);
  if (!done) return wait_for("the journal's record of the new term");
  if (!serve(false)) return;
  begun_ns_ = 0;
  phase_ = Phase::cover;
}

void Promoter::cover(std::uint64_t now_ns) {
  server_.desk().take_replies(now_ns);
  PromotionRecord next = record();
  if (const std::uint32_t later = server_.desk().deposed_by(); later > next.term)
    return give_up(fmt::format("term {} has begun elsewhere", later));
  server_.tell_synced(next.sealed_at);  // the folder was synced when it was written
  const SourceMarks marks = server_.marks();
  if (marks.epoch != Epoch{next.term, 0} || marks.released_at < next.sealed_at) {
    return wait_for(fmt::format("the rule {} to cover {}{}", config_.source->quorum_text,
                                to_string(next.sealed_at), uncovered(marks, next.sealed_at)));
  }
  if (next.step == PromotionStep::sealed) {
    next.step = PromotionStep::released;
    if (!store(next)) return give_up("the promotion cannot be put on record");
    log::warning("promotion", "term {}: the rule covers {}: it is released", next.term,
                 to_string(next.sealed_at));
  }
  if (const std::string problem = log_->release(next.sealed_at); !problem.empty())
    return give_up(problem);
  if (begun_ns_ == 0) begun_ns_ = now_ns;
  if (stragglers(marks, now_ns)) return;
  phase_ = Phase::execute;
}

// Who keeps the rule from covering the seal, and what to do about those who cannot come.
std::string Promoter::uncovered(const SourceMarks& marks, const Position& seal) const {
  std::string text;
  bool absent = false;
  const std::vector<HandshakeDesk::ReplicaView> views = server_.desk().view();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const ReplicaMarks& peer = marks.replicas[i];
    if (peer.connected && peer.durable_at >= seal) continue;
    absent = absent || !peer.connected;
    const std::string& refusal = views[i].refusal;
    text += fmt::format("; {} {}", peers_[i].name,
                        peer.connected    ? "is catching up"
                        : refusal.empty() ? "does not answer"
                                          : "refuses: " + refusal);
  }
  if (absent)
    text +=
        ". Whoever cannot come before this promotion is through (an old source cannot: it rejoins "
        "behind it) has to leave the rule: change quorum in this host's configuration, and restart "
        "its binlaned";
  return text;
}

// Peers in a session that have not got everything yet: behind the next step they could not.
bool Promoter::stragglers(const SourceMarks& marks, std::uint64_t now_ns) {
  std::string names;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const ReplicaMarks& peer = marks.replicas[i];
    if (peer.connected && peer.durable < marks.written) names += " " + peers_[i].name;
  }
  if (names.empty()) return false;
  if (now_ns - begun_ns_ > kStragglerNs) {
    log::error("promotion", "these replicas are left behind, and have to be re-seeded:{}", names);
    return false;
  }
  wait_for("these replicas to reach the end of the sealed stream:" + names);
  return true;
}

bool Promoter::query(const std::string& sql, QueryResult& result) {
  if (!sql_.is_connected() && !sql_.connect().ok()) {
    wait_for("the server to answer at " + config_.source->server_socket);
    return false;
  }
  result = sql_.query(sql);
  if (result.ok()) return true;
  wait_for(fmt::format("the server to accept {}: {}", sql, to_string(result.error)));
  return false;
}

bool Promoter::covered_by_server(std::string& stands_at) {
  QueryResult result;
  if (!query("SELECT @@GLOBAL.gtid_slave_pos", result)) return false;
  stands_at = result.rows.empty() ? std::string() : result.rows[0][0].value_or("");
  const auto at = GtidPosition::parse(stands_at);
  const auto wanted = GtidPosition::parse(record().gtid);
  return at && wanted && covers(*at, *wanted);
}

void Promoter::execute() {
  std::string stands_at;
  if (!covered_by_server(stands_at)) {
    if (stands_at.empty() && !view_.waiting_for.empty()) return;
    return wait_for(fmt::format(
        "the local server to execute everything up to GTID {}: it stands at {} (see SHOW SLAVE "
        "STATUS there)",
        record().gtid, stands_at.empty() ? "nothing" : stands_at));
  }
  QueryResult result;
  // It follows nobody any more, and does not after a restart either.
  if (!query("STOP SLAVE", result) || !query("RESET SLAVE ALL", result)) return;
  PromotionRecord next = record();
  next.step = PromotionStep::executed;
  if (!store(next)) return give_up("the promotion cannot be put on record");
  log::warning("promotion", "term {}: the local server has executed everything up to {}", next.term,
               next.gtid);
  server_.end();
  phase_ = Phase::activate;
}

// The file that the server begins now is the new stream's first.
void Promoter::activate() {
  QueryResult result;
  if (!query("SELECT 1", result)) return;
  if (const std::string problem = check_own_writes(); !problem.empty()) return give_up(problem);
  if (!query("FLUSH BINARY LOGS", result)) return;
  const ServerFactsResult facts = read_server_facts(sql_);
  if (!facts.ok()) return wait_for("the server to tell its settings: " + to_string(facts.error));
  const BinlogIndex index =
      read_binlog_index(facts.facts.log_bin_index, facts.facts.log_bin_basename);
  if (!index.error.empty()) return wait_for(index.error);
  PromotionRecord next = record();
  next.step = PromotionStep::active;
  next.new_start = {index.last, 0};
  SourceState state;
  state.origin = next.new_origin;
  state.epoch = {next.term, 0};
  state.basename = index.basename;
  state.stream_start = next.new_start;
  // Nothing of this stream was acknowledged yet; registering with the server says no more (S3).
  state.quorum = {index.last, kBinlogMagicSize};
  if (const int error = state_.store(state); error != 0)
    return give_up(fmt::format("the source's state cannot be stored: {}", errno_text(error)));
  RoleState role = role_.state();
  role.role = HostRole::source;
  role.fenced_by = 0;
  role.promotion = next;
  if (const int error = role_.store(role); error != 0)
    return give_up(fmt::format("the host's role cannot be stored: {}", errno_text(error)));
  view_.step = next.step;
  view_.waiting_for.clear();
  view_.running = false;
  phase_ = Phase::idle;
  succeeded_ = true;
  remove_sealed_folders();
  log::warning("promotion", "term {}: this host is the source; stream {} begins at {}", next.term,
               to_string(next.new_origin), to_string(next.new_start));
}

bool Promoter::store(const PromotionRecord& record) {
  RoleState role = role_.state();
  BL_ASSERT(may_follow(role.promotion.step, record.step));
  role.promotion = record;
  const int error = role_.store(role);
  view_.running = record.step != PromotionStep::none;
  view_.step = record.step;
  view_.term = record.term;
  if (error == 0) return true;
  log::error("role_not_stored", "the host's role cannot be stored: {}", errno_text(error));
  return false;
}

void Promoter::give_up(const std::string& reason) {
  log::error("promotion_refused", "term {}: {}", record().term, reason);
  for (const std::string& line : view_.proof) log::error("promotion_proof", "{}", line);
  server_.end();
  PromotionRecord none;
  none.term = record().term;
  // Refused by its own disk: the record says what a restart does.
  if (may_follow(record().step, PromotionStep::none) && store(none)) remove_sealed_folders();
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

}  // namespace binlane

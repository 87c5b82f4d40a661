#include "control/source/incarnation_starter.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "control/config/quorum_text.h"
#include "dataplane/session/frame.h"

namespace binlane {

std::unique_ptr<SourceIncarnation> IncarnationStarter::refuse(Refusal::Kind kind,
                                                              std::string problem) {
  BL_ASSERT(!problem.empty());
  refusal_.kind = kind;
  refusal_.problem = std::move(problem);
  return nullptr;
}

std::unique_ptr<SourceIncarnation> IncarnationStarter::begin(std::uint64_t now_ns) {
  BL_ASSERT(parts_.role.state().role == HostRole::source);
  refusal_ = {};
  ServerFacts facts;
  if (!connect(facts)) return nullptr;
  if (const Status recorded = record_wait_point(); !recorded.is_ok()) {
    refusal_.unrecorded = true;
    return refuse(Refusal::Kind::refused, recorded.text());
  }
  const SourceConfig& source = *config_.source;
  const Status prepared = parts_.server.prepare(
      source.wait_point, source.effective_server_timeout_ms(), source.timeout_ms);
  if (!prepared.is_ok())
    return refuse(Refusal::Kind::refused,
                  fmt::format("cannot set up the server's semi-sync: {}", prepared.text()));
  return begin_over(facts, now_ns);
}

bool IncarnationStarter::connect(ServerFacts& facts) {
  const SourceConfig& source = *config_.source;
  if (const Status connected = parts_.server.connect(); !connected.is_ok()) {
    refuse(Refusal::Kind::unreachable, fmt::format("cannot connect to the server at {}: {}",
                                                   source.server_socket, connected.text()));
    return false;
  }
  Result<ServerFacts> read = parts_.server.read_facts();
  if (!read.is_ok()) {
    refuse(Refusal::Kind::refused,
           fmt::format("cannot read the server's settings: {}", read.status().text()));
    return false;
  }
  facts = std::move(read.value());
  history_.sight.version = facts.version;
  const SourceCheck check = check_source(facts, static_cast<std::uint32_t>(source.acker_server_id),
                                         config_.replica.has_value());
  for (const Finding& warning : check.warnings)
    log::warning("server_setting", "{}", to_string(warning));
  if (check.accepted()) return true;
  std::string problem = "this server cannot be a source:";
  for (const Finding& finding : check.refusals) problem += " " + to_string(finding) + ";";
  problem.pop_back();
  refuse(Refusal::Kind::unfit, std::move(problem));
  return false;
}

// Before the wait point is set: the engine has committed what waits AFTER_COMMIT. Of another run of
// the server nobody knows where its commits wait. [S12]
Status IncarnationStarter::record_wait_point() {
  const SourceState& state = parts_.records.state();
  if (state.origin.is_null()) return Status::ok();
  const Result<ServerPollResult> poll = parts_.server.poll();
  const bool sync = poll.is_ok() && poll.value().status.wait_point == WaitPoint::after_sync &&
                    config_.source->wait_point == WaitPoint::after_sync;
  const auto run = parse_server_run(state.server_run);
  const bool same_run = run && run->is_same_as(parts_.server.read_run());
  if (sync && same_run) return Status::ok();
  return parts_.records.expect_after_commit() ? Status::ok()
                                              : Status::failed(parts_.records.failure());
}

// The server's counters before any connection of ours can have acknowledged anything.
RestartProof IncarnationStarter::observe_restart() {
  RestartProof proof;
  proof.on_since_start = parts_.server.on_since_start();
  const Result<ServerPollResult> poll = parts_.server.poll();
  if (!poll.is_ok()) return proof;
  const SemiSyncStatus& status = poll.value().status;
  proof.counters = ServerCounters{status.yes_tx, status.no_tx, status.no_times};
  proof.on_since_start = proof.on_since_start && status.enabled && status.status_on;
  return proof;
}

std::unique_ptr<SourceIncarnation> IncarnationStarter::begin_over(const ServerFacts& facts,
                                                                  std::uint64_t now_ns) {
  const SourceConfig& source = *config_.source;
  Begin begin{nullptr, RuleKeeper(source, parts_.role), {}, false, false, {}, {}, false, 0, false};
  begin.restart = observe_restart();
  const Result<ListedBinlogs> listed = parts_.server.list_binlogs(facts);
  if (!listed.is_ok()) return refuse(Refusal::Kind::refused, listed.status().text());
  const ListedBinlogs& binlogs = listed.value();
  const SourceState before = parts_.records.state();
  bool stored = true;
  const Result<QuorumRule> rule = begin.rule.begin(before, stored);
  refusal_.unrecorded = !stored;
  if (!rule.is_ok()) return refuse(Refusal::Kind::refused, rule.status().text());
  begin.files = parts_.folders.open(binlogs.directory, binlogs.basename);
  const auto last_run = parse_server_run(before.server_run);
  const FoundBinlogs found{binlogs.first,
                           binlogs.last,
                           binlogs.basename,
                           to_string(facts.run),
                           last_run && last_run->is_same_as(facts.run),
                           binlogs.run_first_file,
                           words_of(facts.flavour).reset_binlogs};
  StartFinder finder(*begin.files, found, parts_.records.file().path());
  auto start = finder.find(before, next_stream_);
  if (!start) {
    refusal_.damaged = finder.damaged();
    return refuse(Refusal::Kind::unfit, finder.refusal());
  }
  start->state.waits_committed = before.waits_committed || !start->same_run;
  if (const Status adopted = adopt(*start, facts); !adopted.is_ok()) {
    refusal_.unrecorded = true;
    return refuse(Refusal::Kind::refused, adopted.text());
  }
  if (const Status lane = set_up_lane(binlogs, *start, rule.value(), now_ns); !lane.is_ok())
    return refuse(Refusal::Kind::refused, lane.text());
  begin.safe = start->safe;
  begin.fresh = start->fresh;
  begin.same_run = start->same_run;
  begin.identity = identity(begin.rule.open());
  begin.compares_names_as_text = facts.flavour == ServerFlavour::mariadb;
  begin.newest_file = facts.newest_file;
  begin.read_only = facts.read_only;
  const SourceState& state = parts_.records.state();
  log::info("incarnation", "epoch {}.{} of stream {} begins: binlogs {} to {}, synced up to {}",
            state.epoch.term, state.epoch.incarnation, to_string(state.origin), start->first,
            binlogs.last, to_string(state.synced));
  auto incarnation =
      std::make_unique<SourceIncarnation>(parts_, config_, history_, std::move(begin));
  const Registration registration{registration_position(state), state.epoch.incarnation};
  parts_.registration.open(registration, facts.run,
                           registration.start.file < binlogs.first || !start->proven);
  parts_.server.dump().reconnect();
  return incarnation;
}

// Puts what the finder found on record. Nothing may be done in the incarnation before that.
Status IncarnationStarter::adopt(const IncarnationStart& begin, const ServerFacts& facts) {
  if (Status stored = parts_.records.begin_incarnation(begin.state); !stored.is_ok()) return stored;
  // If the record failed, the next attempt still has to begin a new stream.
  next_stream_ = {};
  history_.sight.run = facts.run;
  RoleState role = parts_.role.state();
  role.binlog_index = facts.log_bin_index;
  role.binlog_base = facts.log_bin_basename;
  if (const int error = parts_.role.store(role); error != 0)
    log::error("role_not_stored", "cannot store {}: {}", parts_.role.path(), errno_text(error));
  return Status::ok();
}

Status IncarnationStarter::set_up_lane(const ListedBinlogs& listed, IncarnationStart& begin,
                                       const QuorumRule& rule, std::uint64_t now_ns) {
  LaneHandle& lane = parts_.lane;
  if (!lane.quiesce()) return Status::failed("the source's lane did not stop within a second");
  if (!lane.bound() || directory_ != listed.directory || !begin.same_stream)
    lane.bind(listed.directory, listed.basename);
  directory_ = listed.directory;
  const int error = lane.begin_incarnation(begin.start, parts_.records.state().epoch, rule, now_ns);
  if (error == 0) return Status::ok();
  return Status::failed(fmt::format("cannot open binlog {}: {}", listed.last, errno_text(error)));
}

SourceHandshake::Identity IncarnationStarter::identity(bool rule_open) const {
  const SourceState& state = parts_.records.state();
  const SourceConfig& source = *config_.source;
  SourceHandshake::Identity identity;
  identity.cluster_id = cluster_id_of(config_.cluster);
  identity.origin = state.origin;
  identity.epoch = state.epoch;
  identity.source_name = config_.name;
  identity.basename = state.basename;
  identity.rule_number = source.quorum.number;
  identity.rule = to_string(source.quorum, source.replica_names());
  identity.rule_alone = !rule_open;
  identity.stream_term = state.epoch.term;
  identity.candidate = parts_.role.state().host_id;
  // After a promotion the replicas still hold the stream that it sealed, and switch to this one.
  // [S2]
  const PromotionRecord& promotion = parts_.role.state().promotion;
  if (promotion.step == PromotionStep::active && promotion.new_origin == state.origin) {
    identity.sealed_origin = promotion.old_stream.origin;
    identity.sealed_term = promotion.old_stream.term;
    identity.sealed_at = promotion.sealed_at;
    identity.sealed_digest = promotion.sealed_digest;
  }
  return identity;
}

}  // namespace binlane

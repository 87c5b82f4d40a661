// SourceControl, the part that begins and ends incarnations.

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "control/quorum_text.h"
#include "control/source_control.h"
#include "shim/binlog_index.h"
#include "shim/server_run_files.h"

namespace binlane {
namespace {

constexpr std::uint64_t kDamagedLookNs = 5 * kNanosPerSecond;

}  // namespace

// What the finder found goes on record; nothing may be done in the incarnation before.
bool SourceControl::adopt(const IncarnationStart& begin, const ServerFacts& facts) {
  same_run_ = begin.same_run;
  const int error = state_file_.store(begin.state);
  // Without an incarnation nobody watches what the server lets go: then it takes no writes (S18).
  guard_.set_unrecorded(error != 0);
  if (error != 0) {
    refuse(fmt::format("cannot store {}: {}", state_file_path(config_), errno_text(error)));
    return false;
  }
  fresh_stream_ = begin.fresh;
  state_ = begin.state;
  // Only now: until the record stands, the next attempt begins anew as well.
  next_stream_ = {};
  if (!ledger_.begin_stream(state_.origin)) log::error("ledger_failed", "{}", ledger_.failure());
  run_ = facts.run;
  read_only_ = facts.read_only;
  RoleState role = role_.state();
  role.binlog_index = facts.log_bin_index;
  role.binlog_base = facts.log_bin_basename;
  if (const int failed = role_.store(role); failed != 0)
    log::error("role_not_stored", "cannot store {}: {}", role_file_path(config_),
               errno_text(failed));
  return true;
}

bool SourceControl::begin_incarnation(const ServerFacts& facts, std::uint64_t now_ns) {
  BinlogIndex index = read_binlog_index(facts.log_bin_index, facts.log_bin_basename);
  if (!index.error.empty()) {
    refuse(index.error);
    return false;
  }
  // What was removed is no longer this host's to ship. Whether the rest is still the same stream,
  // and what a replica lacks of it, is found out as after a PURGE.
  if (const std::uint32_t oldest = oldest_present(index); oldest != index.first) {
    log::warning(
        "binlogs_removed",
        "binlog {} is listed in {} but not there: the stream begins with binlog {}; remove "
        "binlogs with PURGE BINARY LOGS",
        oldest - 1, facts.log_bin_index, oldest);
    index.first = oldest;
  }
  const ServerRunFiles run_files =
      find_server_run_files(facts.log_bin_index, facts.log_bin_basename);
  if (run_files.first == 0) {
    refuse(run_files.error);
    return false;
  }
  const auto rule = rule_to_begin_with();
  if (!rule) return false;
  files_.emplace(index.directory, index.basename);
  const auto last_run = parse_server_run(state_.server_run);
  const FoundBinlogs found{index.first,
                           index.last,
                           index.basename,
                           to_string(facts.run),
                           last_run && last_run->is_same_as(facts.run),
                           run_files.first};
  const auto sync = [this](std::uint32_t first, std::uint32_t last) {
    return sync_files(*files_, first, last);
  };
  StartFinder finder(*files_, sync, found, state_file_path(config_));
  auto begin = finder.find(state_, next_stream_);
  if (!begin) {
    refuse_unfit(finder.refusal());
    // Whole files are read to find damage, and it is still there half a second later.
    if (finder.damaged()) next_look_ns_ = now_ns + kDamagedLookNs;
    return false;
  }
  if (!adopt(*begin, facts)) return false;
  if (!lane_.stand_still()) {
    refuse("the lane does not stand still");
    return false;
  }
  if (!lane_.bound() || directory_ != index.directory || !begin->same_stream)
    lane_.bind(index.directory, index.basename, drain_);
  directory_ = index.directory;
  if (const int error = lane_.begin_incarnation(begin->start, state_.epoch, *rule, now_ns);
      error != 0) {
    refuse(fmt::format("binlog {} cannot be opened: {}", index.last, errno_text(error)));
    return false;
  }
  proof_ = std::make_unique<PosixStreamProof>(*files_);
  proof_->refresh(lane_.stream().tailer().map(), lane_.stream().written());
  lane_.go_on();

  desk_ = std::make_unique<HandshakeDesk>(replicas_, *proof_, lane_.queues());
  exposures_.emplace(ledger_, lane_.queues(), state_.origin, state_.epoch);
  exposures_->look();
  desk_->begin_incarnation(identity(), begin->safe, state_.safe_marks);
  synced_.restart(state_.synced);
  ++incarnations_;
  log::info("incarnation", "epoch {}.{} of stream {} begins: binlogs {} to {}, synced up to {}",
            state_.epoch.term, state_.epoch.incarnation, to_string(state_.origin), begin->first,
            index.last, to_string(state_.synced));
  const Registration registration{registration_position(state_), state_.epoch.incarnation};
  registration_.open(registration, run_, registration.start.file < index.first || !begin->proven);
  drain_.reconnect();
  return true;
}

SourceHandshake::Identity SourceControl::identity() const {
  SourceHandshake::Identity identity;
  identity.cluster_id = cluster_id_of(config_.cluster);
  identity.origin = state_.origin;
  identity.epoch = state_.epoch;
  identity.source_name = config_.name;
  identity.basename = state_.basename;
  identity.rule_number = source_.quorum.number;
  identity.rule = to_string(source_.quorum, source_.replica_names());
  identity.rule_alone = !rule_open_;
  identity.stream_term = state_.epoch.term;
  identity.candidate = role_.state().host_id;
  // Behind a promotion the replicas come from the stream that it sealed (S2).
  const PromotionRecord& promotion = role_.state().promotion;
  if (promotion.step == PromotionStep::active && promotion.new_origin == state_.origin) {
    identity.sealed_origin = promotion.old_stream.origin;
    identity.sealed_term = promotion.old_stream.term;
    identity.sealed_at = promotion.sealed_at;
    identity.sealed_digest = promotion.sealed_digest;
  }
  return identity;
}

void SourceControl::end_incarnation(const IncarnationEnd& end) {
  log::warning("incarnation_ends", "{}", end.reason);
  if (end.next.anew) next_stream_ = end.next;
  if (desk_) desk_->close();
  registration_.close();
  if (lane_.stand_still() && lane_.bound()) {
    lane_.link().detach();
    lane_.stream().stop();
  }
  store(ended_state(state_, synced_.synced(), lane_.queues().marks.load()));
  phase_ = Phase::looking;
  poll_problem_.clear();
  problem_ = end.reason;
  next_look_ns_ = 0;
}

void SourceControl::follow_quorum(const SourceMarks& marks) {
  if (registration_.raise(marks.quorum_group_at, proof_->first().file)) drain_.retry_now();
}

// On the drain's thread.
std::optional<Registration> SourceControl::registration_for(const ServerFacts& facts) {
  const auto registration = registration_.ask(facts.run);
  if (!registration) wake_.notify_all();
  return registration;
}

}  // namespace binlane

#include "control/failover/candidate_log.h"

#include <fmt/format.h>

#include <memory>

#include "base/assert.h"
#include "base/mutant.h"
#include "control/config/promotion_rule.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {
namespace {

Status side_ended() {
  return Status::failed("the replica's side of this binlaned has stopped");
}

Status lane_moves() {
  return Status::failed("the replica's lane did not stop within a second");
}

}  // namespace

Status CandidateLog::with_log(const std::function<Status()>& work) {
  Status status;
  const bool done = side_.call([&] {
    const Promise promise = side_.store().promise();
    status = promise == promise_ ? work()
                                 : Status::failed(fmt::format(
                                       "this host has meanwhile promised itself to {} for term {}",
                                       to_string(promise.candidate), promise.term));
  });
  return done ? status : side_ended();
}

Status CandidateLog::quiesced(const std::function<Status(Journal&)>& work) {
  return with_log([&] {
    ReplicaLane& lane = side_.lane();
    if (!lane.quiesce()) return lane_moves();
    Status status = lane.journal().failed() ? Status::failed("the journal can no longer be written")
                                            : work(lane.journal());
    lane.resume();
    return status;
  });
}

Status CandidateLog::fence() {
  BL_ASSERT(promise_.term > 0 && !promise_.candidate.is_null());
  Status status;
  const bool done = side_.call([&] {
    if (const auto refused = side_.store().store_promise(promise_)) {
      status = Status::failed(*refused);
      return;
    }
    BL_ASSERT(side_.store().promise() == promise_);
    ReplicaLane& lane = side_.lane();
    if (!lane.quiesce()) {
      status = lane_moves();
      return;
    }
    BL_MUTANT(fenced_session_goes_on, void(), lane.end_session());
    lane.resume();
  });
  return done ? status : side_ended();
}

Status CandidateLog::still_promised() {
  return with_log([] { return Status::ok(); });
}

Status CandidateLog::drained() {
  return quiesced(
      [](Journal& journal) { return journal.idle() ? Status::ok() : Status::pending(); });
}

Status CandidateLog::describe(PromotionLog& log) {
  return quiesced([&](Journal& journal) {
    const JournalMeta meta = side_.store().meta();
    log.journal_id = meta.journal;
    log.stream = {meta.stream.origin, meta.stream.term};
    log.epoch = journal.epoch();
    log.end = journal.durable();
    log.released = journal.released();
    log.damaged = !meta.damaged_until.is_null();
    log.learner = !meta.learner_until.is_null();
    log.rules = promotion_rules(meta.rules);
    BL_ASSERT(log.released <= log.end);
    // It has just gone over to this stream, and its source has sent nothing of it yet.
    if (log.end.is_null())
      return Status::failed(
          "the journal holds nothing of its stream, so there is nothing to continue");
    return log.end == journal.end() ? Status::ok()
                                    : Status::failed("the journal still has writes in flight");
  });
}

Result<SealedFiles> CandidateLog::export_to(const std::string& directory) {
  SealedFiles files;
  const Status status = quiesced([&](Journal& journal) {
    if (!journal.idle()) return Status::failed("the journal still has writes in flight");
    const Result<SealedFiles> exported = export_stream(
        journal, side_.store().meta(), side_.parts()->folder, directory, side_.platform().files());
    if (!exported.is_ok()) return exported.status();
    files = exported.value();
    const auto folder = side_.platform().folders().open(directory, files.basename);
    StreamStart start;
    const ScanResult scan = scan_stream(*folder, files.end.file, files.end.file, start);
    if (!scan.ok())
      return Status::failed(fmt::format("{}: {}", files.path(scan.file), scan_text(scan)));
    files.whole_groups = start.tracker.last_group_end();
    BL_ASSERT(files.whole_groups <= files.end);
    return Status::ok();
  });
  if (!status.is_ok()) return status;
  return files;
}

Status CandidateLog::truncate(Position to, Epoch epoch) {
  BL_ASSERT(!to.is_null() && epoch.term == promise_.term);
  return quiesced([&](Journal& journal) {
    if (journal.epoch() < epoch) {
      if (!journal.idle()) return Status::pending();
      const auto at = journal.log_of(to);
      if (!at || *at < journal.released_log())
        return Status::failed(fmt::format("cannot truncate the journal to {}", to_string(to)));
      const bool beyond = BL_MUTANT(log_beyond_seal_kept, false, *at < journal.end_log());
      const bool recorded = beyond ? journal.cut(*at, epoch) : journal.start_epoch(epoch);
      if (!recorded) return Status::pending();  // the ring is full; the archive will free it
    }
    if (journal.epoch() > epoch) return Status::failed("the journal is already in a later epoch");
    const bool durable = journal.records_durable() && journal.idle();
    return durable ? Status::ok() : Status::pending();
  });
}

Status CandidateLog::release(Position to) {
  return quiesced([&](Journal& journal) {
    const auto at = journal.log_of(to);
    // The journal has no offset for a position that is archived and freed: it was released before.
    if (!at)
      return journal.released() >= to ? Status::ok()
                                      : Status::failed("the journal does not hold the seal");
    journal.release(*at);
    return journal.released() >= to ? Status::ok() : Status::pending();
  });
}

PromotionLog log_at_a_glance(const std::string& name, ReplicaSide& side) {
  const JournalMeta meta = side.store().meta();
  const ReplicaLaneMarks marks = side.lane().queues().marks.load();
  PromotionLog log;
  log.name = name;
  log.journal_id = meta.journal;
  log.stream = {meta.stream.origin, meta.stream.term};
  log.epoch = marks.epoch;
  log.end = marks.durable;
  log.rules = promotion_rules(meta.rules);
  return log;
}

Result<std::uint32_t> fence_for_nobody(ReplicaSide& side) {
  const JournalMeta meta = side.store().meta();
  const auto next = Promotion::next_term(meta.promise.term, 0);
  if (!next) return Status::failed("there is no later term: the largest one is promised");
  BL_ASSERT(*next > meta.promise.term);
  const Status fenced = CandidateLog(side, Promise{*next, meta.journal}).fence();
  if (!fenced.is_ok()) return fenced;
  return *next;
}

}  // namespace binlane

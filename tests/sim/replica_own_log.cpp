// ReplicaHost, the part that a promotion of this host asks of its own log: as OwnLog, function by
// function.

#include <fmt/format.h>

#include "base/stream_digest.h"
#include "control/promotion_answer.h"
#include "replica_host.h"
#include "storage/journal_cursor.h"

namespace binlane::sim {

void ReplicaHost::stand_still() {
  queues_->pause.request();
  cycle_->do_work();
  BL_ASSERT(queues_->pause.standing());
}

// Only while the promise is to itself still.
std::string ReplicaHost::with_log(const Promise& promise) const {
  if (!up()) return "the replica's side of this host has ended";
  if (store_->promise() != promise) return "this host has promised itself to another meanwhile";
  return journal_->failed() ? "the journal's device has failed" : std::string();
}

std::string ReplicaHost::fence_for(const Promise& promise) {
  if (!up()) return "the replica's side of this host has ended";
  if (const auto refused = store_->store_promise(promise)) return *refused;
  stand_still();
  AdmittedHello admitted;
  while (queues_->admitted.try_pop(admitted)) {
  }
  cycle_->end_session();
  queues_->pause.resume();
  trace_.note("promised to itself", local_.ipv4, promise.term);
  return {};
}

std::string ReplicaHost::settled(const Promise& promise, bool& done) {
  done = false;
  if (std::string problem = with_log(promise); !problem.empty()) return problem;
  done = journal_->idle();
  return {};
}

std::string ReplicaHost::describe(const Promise& promise, PromotionLog& log) {
  if (std::string problem = with_log(promise); !problem.empty()) return problem;
  const JournalMeta meta = store_->meta();
  log.journal_id = meta.journal;
  log.stream = {meta.stream.origin, meta.stream.term};
  log.epoch = journal_->epoch();
  log.end = journal_->durable();
  log.released = journal_->released();
  log.damaged = !meta.damaged_until.is_null();
  log.learner = !meta.learner_until.is_null();
  log.rules = promotion_rules(meta.rules);
  return log.end == journal_->end() ? std::string() : "the journal's writes have not ended";
}

std::string ReplicaHost::export_to(const Promise& promise, BinlogStore& store) {
  if (std::string problem = with_log(promise); !problem.empty()) return problem;
  JournalCursor cursor(*journal_, store_->meta().archived);
  ReleaseMark everything;
  everything.sequence = journal_->last_sequence() + 1;
  std::optional<JournalChunk> chunk = cursor.next(everything);
  const Position end = journal_->durable();
  const Position from = chunk ? chunk->at : end;
  std::uint32_t number = from.file;
  while (number > 1 && files_.data(archive_path(number - 1)) != nullptr) --number;
  for (; number <= from.file; ++number) {
    store.create(number);
    const auto* const archived = files_.data(archive_path(number));
    const std::uint64_t size =
        number < from.file ? (archived == nullptr ? 0 : archived->size()) : from.offset;
    if (size > 0 && (archived == nullptr || archived->size() < size))
      return fmt::format("file {} cannot be read up to {}", number, size);
    if (size > 0) store.append(number, ConstBytes(*archived).first(size));
  }
  for (; chunk; chunk = cursor.next(everything)) {
    if (!chunk->file_end) {
      store.append(chunk->at.file, chunk->bytes);
      continue;
    }
    if ((std::byte{chunk->file_end->flags_byte} & kInUseBit) == std::byte{0})
      store.clear_in_use(chunk->at.file);
    store.create(chunk->at.file + 1);
  }
  for (number = store.first(); number <= store.last(); ++number) store.sync(number);
  const Position exported{store.last(), store.file(store.last()).data.size()};
  BL_ASSERT(exported == end);
  return {};
}

std::string ReplicaHost::cut(const Promise& promise, Position to, Epoch epoch, bool& done) {
  done = false;
  if (std::string problem = with_log(promise); !problem.empty()) return problem;
  if (journal_->epoch() < epoch) {
    if (!journal_->idle()) return {};
    const auto at = journal_->log_of(to);
    if (!at || *at < journal_->released_log())
      return fmt::format("the journal cannot be cut back to {}", to_string(to));
    const bool recorded =
        *at < journal_->end_log() ? journal_->cut(*at, epoch) : journal_->start_epoch(epoch);
    if (!recorded) return {};
  }
  if (journal_->epoch() > epoch) return "the journal is in a later epoch already";
  done = journal_->records_durable() && journal_->idle();
  return {};
}

std::string ReplicaHost::release(const Promise& promise, Position to) {
  if (std::string problem = with_log(promise); !problem.empty()) return problem;
  const auto at = journal_->log_of(to);
  if (!at) return journal_->released() >= to ? std::string() : "the journal does not hold the seal";
  journal_->release(*at);
  return {};
}

Fetch::State ReplicaHost::look_at(Fetch& fetch, std::uint64_t now_ns) const {
  const ReplicaLaneMarks marks = queues_->marks.load();
  return fetch.look(marks.epoch, marks.durable, now_ns);
}

}  // namespace binlane::sim

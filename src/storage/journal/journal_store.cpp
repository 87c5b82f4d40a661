#include "storage/journal/journal_store.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutant.h"
#include "storage/journal/stream_switch.h"

namespace binlane {

void JournalStore::load(JournalMeta meta) {
  const std::lock_guard lock(mutex_);
  meta_ = std::move(meta);
}

JournalMeta JournalStore::meta() const {
  const std::lock_guard lock(mutex_);
  return meta_;
}

StreamIdentity JournalStore::stream() const {
  const std::lock_guard lock(mutex_);
  return meta_.stream;
}

Promise JournalStore::promise() const {
  const std::lock_guard lock(mutex_);
  return meta_.promise;
}

int JournalStore::update(const std::function<void(JournalMeta&)>& change) {
  const std::lock_guard lock(mutex_);
  JournalMeta changed = meta_;
  change(changed);
  BL_ASSERT(changed.journal == meta_.journal && changed.block_count == meta_.block_count);
  BL_ASSERT(changed.incarnation >= meta_.incarnation);
  BL_ASSERT(changed.archived.sequence >= meta_.archived.sequence);
  BL_ASSERT(changed.promise.term >= meta_.promise.term);
  const int error = store(changed);
  if (error == 0) meta_ = std::move(changed);
  return error;
}

int JournalStore::set_stream(const StreamIdentity& stream, const LogMark& learner_until) {
  BL_ASSERT(!stream.is_null());
  return update([&](JournalMeta& meta) {
    BL_ASSERT(meta.stream.is_null());
    meta.stream = stream;
    meta.learner_until = learner_until;
  });
}

int JournalStore::forget_up_to(std::uint32_t term) {
  return update(
      [term](JournalMeta& meta) { meta.forgotten_term = std::max(meta.forgotten_term, term); });
}

int JournalStore::store_rule(const std::string& rule, bool alone) {
  if (rule.empty()) return 0;
  const JournalMeta now = meta();
  if (!now.rules.empty() && now.rules.back() == rule && (!alone || now.rules.size() == 1)) return 0;
  return update([&rule, alone](JournalMeta& meta) {
    if (alone) meta.rules.clear();
    std::erase(meta.rules, rule);
    if (meta.rules.size() == kMaxRulesOnRecord) {
      log::warning("rule_forgotten",
                   "the quorum rule {} is no longer on record, because {} newer ones are",
                   meta.rules.front(), kMaxRulesOnRecord);
      meta.rules.erase(meta.rules.begin());
    }
    meta.rules.push_back(rule);
  });
}

std::string JournalStore::stream_mismatch(const StreamIdentity& stream) const {
  const StreamIdentity own = this->stream();
  if (own.is_null() || own == stream) return {};
  return fmt::format("the journal {} holds the stream {}, not {}", path(), to_string(own),
                     to_string(stream));
}

std::optional<std::string> JournalStore::store_promise(const Promise& promise) {
  const Promise given = this->promise();
  if (promise == given) return std::nullopt;
  if (promise.term < given.term) {
    return fmt::format("term {} is promised already", given.term);
  }
  if (BL_MUTANT(promise_given_twice, false, promise.term == given.term)) {
    return fmt::format("term {} is promised to {}", given.term, to_string(given.candidate));
  }
  // Stored twice, so that both copies have it: if it were lost with one copy, nothing would notice.
  int error = update([&promise](JournalMeta& meta) { meta.promise = promise; });
  if (error == 0) error = update([](JournalMeta&) {});
  if (error == 0) return std::nullopt;
  return fmt::format("the promise cannot be stored: {}", errno_text(error));
}

int JournalStore::reset_promise(const Promise& promise) {
  const std::lock_guard lock(mutex_);
  // Each copy is written with another content, because an equal one is not written again. A reset
  // that is interrupted leaves the term promised to nobody.
  for (const Promise& step : {Promise{promise.term, {}}, promise}) {
    JournalMeta changed = meta_;
    changed.promise = step;
    if (const int error = store(changed); error != 0) return error;
    meta_ = std::move(changed);
  }
  return 0;
}

int JournalStore::clear_damage() {
  return update([](JournalMeta& meta) { meta.damaged_until = {}; });
}

int JournalStore::clear_learner() {
  return update([](JournalMeta& meta) { meta.learner_until = {}; });
}

int JournalStore::switch_stream(const StreamIdentity& next, Position sealed_at,
                                const JournalConsumed& last) {
  const int error =
      update([&](JournalMeta& meta) { binlane::switch_stream(meta, next, sealed_at, last); });
  if (error == 0) binlane::switch_stream(mutable_start(), last);
  return error;
}

}  // namespace binlane

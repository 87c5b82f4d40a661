// JournalStore: a journal's superblock as the others see it: what stands in it, and changes that
// are durable before they count.
//
// JournalFile keeps it in a durable record beside the ring; the simulator on a disk of its own.
// All calls may come from any ordinary thread; a mutex guards the superblock.
//
// Invariant: S1 (a promise is stored before it is given).
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "storage/journal.h"
#include "storage/journal_meta.h"

namespace binlane {

class JournalStore {
 public:
  JournalStore() = default;
  JournalStore(const JournalStore&) = delete;
  JournalStore& operator=(const JournalStore&) = delete;
  virtual ~JournalStore() = default;

  // For messages.
  virtual const std::string& path() const noexcept = 0;
  // What recovery found at this opening.
  virtual const JournalStart& start() const noexcept = 0;

  JournalMeta meta() const;
  StreamIdentity stream() const;
  Promise promise() const;

  // Applies `change` and makes the result durable. 0, or an errno, after which every later call
  // fails as well (see DurableRecord) and the superblock stays as it was.
  [[nodiscard]] int update(const std::function<void(JournalMeta&)>& change);

  // The journal belongs to this stream from now on. Asserts that it belonged to none.
  // `learner_until`: how far the log has to come before it counts as inspected.
  // See JournalMeta::forgotten_term; never goes back.
  [[nodiscard]] int forget_up_to(std::uint32_t term);
  [[nodiscard]] int set_stream(const StreamIdentity& stream, const LogMark& learner_until = {});
  // Puts a quorum rule on record, as the newest. 0 or an errno.
  [[nodiscard]] int store_rule(const std::string& rule, bool alone = false);
  // Why `stream` is not the journal's, for the operator and the peer; empty when it is, or when the
  // journal belongs to none yet.
  std::string stream_mismatch(const StreamIdentity& stream) const;

  // Stores a promise before it is given. Empty when it is stored, or was already; else why not: a
  // larger term was promised, or this term to another, or the store failed.
  [[nodiscard]] std::optional<std::string> store_promise(const Promise& promise);

  // Takes a promise back, or raises it past what any bid may; both copies. For `binlane term
  // reset`, with the daemon stopped, and for nothing else. 0 or an errno.
  [[nodiscard]] int reset_promise(const Promise& promise);

  // Forgets the damage, once the log is there again. 0 or an errno.
  [[nodiscard]] int clear_damage();
  // The log has caught up with what was there when it began. 0 or an errno.
  [[nodiscard]] int clear_learner();

 protected:
  // Makes it the superblock. 0 when it is durable; an error is final.
  virtual int store(const JournalMeta& meta) = 0;
  // As it was read at the opening; once, before anything else.
  void load(JournalMeta meta);

 private:
  mutable std::mutex mutex_;
  JournalMeta meta_;  // guarded by mutex_; what is stored
};

}  // namespace binlane

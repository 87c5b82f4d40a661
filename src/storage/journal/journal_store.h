// JournalStore: a journal's superblock as other parts use it: its content, and changes that are
// durable before they count.
//
// JournalFile keeps it in a durable record beside the ring; the simulator keeps it on a disk of its
// own. All calls may come from any ordinary thread; a mutex guards the superblock.
//
// A promise is stored before it is given. [S1]
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_cursor.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

class JournalStore {
 public:
  JournalStore() = default;
  JournalStore(const JournalStore&) = delete;
  JournalStore& operator=(const JournalStore&) = delete;
  virtual ~JournalStore() = default;

  // For messages.
  virtual const std::string& path() const noexcept = 0;
  // What recovery found at this opening, or what the last switch_stream() left.
  virtual const JournalStart& start() const noexcept = 0;
  // The ring's copy in memory, for the Journal over it.
  virtual MutableBytes image() noexcept = 0;

  JournalMeta meta() const;
  StreamIdentity stream() const;
  Promise promise() const;

  // Applies `change` and makes the result durable. Returns 0, or an errno; after an error every
  // later call fails as well (see DurableRecord), and the superblock does not change.
  [[nodiscard]] int update(const std::function<void(JournalMeta&)>& change);

  // The journal belongs to this stream from now on. Asserts that it belonged to none.
  // `learner_until`: how far the log has to reach before it counts as inspected. See
  // JournalMeta::forgotten_term; it never goes back.
  [[nodiscard]] int forget_up_to(std::uint32_t term);
  [[nodiscard]] int set_stream(const StreamIdentity& stream, const LogMark& learner_until = {});
  // Puts a quorum rule on record, as the newest. 0 or an errno.
  [[nodiscard]] int store_rule(const std::string& rule, bool alone = false);
  // Why `stream` is not the journal's, for the operator and the peer; empty if it is, or if the
  // journal belongs to no stream yet.
  std::string stream_mismatch(const StreamIdentity& stream) const;

  // Stores a promise before it is given. Returns nothing when it is stored, or was already;
  // otherwise why not: a larger term was promised, this term was promised to another candidate, or
  // the store failed.
  [[nodiscard]] std::optional<std::string> store_promise(const Promise& promise);

  // The journal gives up its stream, which ended at `sealed_at` and is kept in the archive, and
  // belongs to `next` (null: to no stream), of which it holds nothing yet. Its UUID, its promise
  // and the numbers of its blocks continue. `last` is the newest block. The caller has made sure
  // that nothing is written to the ring meanwhile, and makes a new Journal from start() afterwards.
  // Returns 0 or an errno.
  [[nodiscard]] int switch_stream(const StreamIdentity& next, Position sealed_at,
                                  const JournalConsumed& last);

  // Takes a promise back, or raises it past what any bid may ask for, in both copies. Only for
  // `binlane term reset`, with the daemon stopped. Returns 0 or an errno.
  [[nodiscard]] int reset_promise(const Promise& promise);

  // Forgets the damage, once the log has reached the mark again. Returns 0 or an errno.
  [[nodiscard]] int clear_damage();
  // The log has caught up with what existed when it began. Returns 0 or an errno.
  [[nodiscard]] int clear_learner();

 protected:
  // Makes it the superblock. 0 when it is durable; an error is final.
  virtual int store(const JournalMeta& meta) = 0;
  // What start() gives.
  virtual JournalStart& mutable_start() noexcept = 0;
  // As it was read at the opening; once, before anything else.
  void load(JournalMeta meta);

 private:
  mutable std::mutex mutex_;
  JournalMeta meta_;  // guarded by mutex_; what is stored
};

}  // namespace binlane

// PromiseRecord: the largest promise of a replica, stored beside its journal (`<journal>.promise`).
//
// The journal's superblock holds it too. This copy remains when a replica is re-seeded and its
// journal begins anew: a replica that forgot its promise could complete a quorum for the source
// that it had promised against. Ordinary threads; the owner serialises. [S1, S14]
#pragma once

#include <string>

#include "storage/durable_record.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

class PromiseRecord {
 public:
  static std::string path_beside(const std::string& journal);

  // Opens or creates the record. Throws StartupError for damage or another version.
  explicit PromiseRecord(const std::string& journal);

  // As loaded or last stored; term 0: no promise was given.
  const Promise& promise() const noexcept { return promise_; }
  // Durable when it returns 0; otherwise an errno, which is final. Equal promises are not written.
  [[nodiscard]] int store(const Promise& promise);

 private:
  DurableRecord record_;
  Promise promise_;
};

}  // namespace binlane

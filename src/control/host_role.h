// HostRole: which part this host plays, and how far a promotion of it has got; what both sides of a
// daemon must still know after a restart.
//
// A host with a [source] and a [replica] section may become either. Exactly one of the two is at
// work: a source ships its own server's binlog and holds nobody's; a standby holds a source's and
// leaves its own server's semi-sync off; a fenced host was a source, has learned that a later term
// has begun, and does nothing until an operator lets it rejoin (safety rule S1). The record is
// stored before anything of the new part is done. Source's control thread; status reads copies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/position.h"
#include "base/uuid.h"
#include "control/promotion.h"
#include "storage/durable_record.h"
#include "storage/journal_meta.h"

namespace binlane {

enum class HostRole : std::uint8_t { source, standby, fenced };
const char* to_string(HostRole role) noexcept;

// A promotion of this host, up to its latest durable step.
struct PromotionRecord {
  PromotionStep step = PromotionStep::none;
  std::uint32_t term = 0;
  StreamIdentity old_stream;
  Position sealed_at;               // where that ends for good; from `sealed` on
  std::uint32_t sealed_digest = 0;  // of the file it ends in, by which others recognise it
  std::string gtid;    // what a server that has executed everything up to there stands at
  Uuid new_origin;     // of the new stream
  Position new_start;  // its first byte; from `active` on

  bool operator==(const PromotionRecord&) const = default;
};

struct RoleState {
  Uuid host_id;  // names this host as a candidate for ever
  HostRole role = HostRole::source;
  std::uint32_t fenced_by = 0;  // the term that ended our own; fenced only. 0: an operator did
  std::string fence_reason;     // what that operator said
  PromotionRecord promotion;
  // The quorum rule that everything acknowledged so far is covered by; a new one comes into force
  // beside it first (safety rule S4). Empty: there was none.
  std::string rule;
  // Where the server's binlogs are, for when it is down: the index's and the files' path without
  // their numbers.
  std::string binlog_index;
  std::string binlog_base;

  bool operator==(const RoleState&) const = default;
};

class RoleFile {
 public:
  // Opens or creates the record; a host that has none yet begins as `first`. Throws StartupError.
  RoleFile(std::string path, HostRole first);

  const RoleState& state() const noexcept { return state_; }
  // Durable when it returns 0; otherwise an errno, which is final.
  [[nodiscard]] int store(const RoleState& state);
  // Of the last store that had something to write: 0, or its errno.
  int error() const noexcept { return error_; }

 private:
  DurableRecord record_;
  RoleState state_;
  int error_ = 0;
};

}  // namespace binlane

// HostRole: which part this host plays, and how far a promotion of it has got; what both sides of a
// daemon must still know after a restart.
//
// A host with a [source] and a [replica] section may become either. Exactly one of the two is at
// work: a source ships its own server's binlog and holds nobody's; a standby holds a source's and
// leaves its own server's semi-sync off; a fenced host was a source, has learned that a later term
// has begun, and does nothing until an operator lets it rejoin (safety rule S1). The record is
// stored before anything of the new part is done. Source's control thread; status reads copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/position.h"
#include "base/uuid.h"
#include "control/cut_record.h"
#include "control/promotion.h"
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
  // A cut that was begun and is not known to be done: it is gone on with before anything else.
  CutRecord cut;
  // A standby whose server has not been seen to follow it since the rejoin.
  bool rejoining = false;

  bool operator==(const RoleState&) const = default;
};

// Where the record is kept: a file, and in the simulator bytes in memory.
struct RoleMedium {
  std::string path;
  std::function<std::optional<std::vector<std::byte>>()> load;
  // Durable when it returns 0; otherwise an errno. It may be called again after an error.
  std::function<int(ConstBytes)> store;

  // The two slots of a DurableRecord. Throws StartupError.
  static RoleMedium file(std::string path);
};

// RoleFile: the role that is in force, and its record.
//
// A promotion, a rejoin, the lifting of a fence: store(), on record before it is in force. A fence
// is the other way round, because a host whose disk fails must be fenced all the same: hold() puts
// it in force, put_on_record() writes it, again and again until that works (safety rule S18).
class RoleFile {
 public:
  // Opens or creates the record; a host that has none yet begins as `first`. Throws StartupError.
  RoleFile(std::string path, HostRole first) : RoleFile(RoleMedium::file(std::move(path)), first) {}
  RoleFile(RoleMedium medium, HostRole first);

  const RoleState& state() const noexcept { return state_; }
  // Durable, and in force, when it returns 0; otherwise an errno, and nothing has changed.
  [[nodiscard]] int store(const RoleState& state);

  // In force at once, whatever the disk does.
  void hold(const RoleState& state);
  // What is in force goes on record. 0, or an errno: try again later.
  [[nodiscard]] int put_on_record();
  bool on_record() const noexcept { return on_record_; }
  // Of the last store that had something to write: 0, or its errno.
  int error() const noexcept { return error_; }

 private:
  int write(const RoleState& state);

  RoleMedium medium_;
  RoleState state_;
  bool on_record_ = true;
  int error_ = 0;
};

}  // namespace binlane

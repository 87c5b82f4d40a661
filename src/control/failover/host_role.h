// HostRole: which part this host plays, and how far a promotion of it has come; both sides of a
// daemon must still know that after a restart.
//
// A host with a [source] and a [replica] section may play either part. Exactly one of the two is
// active. A source ships its own server's binlog and holds no other stream. A standby holds a
// source's stream and keeps its own server's semi-sync off. A fenced host was a source, has learned
// that a later term has begun, and does nothing until an operator lets it rejoin. [S1] The record
// is stored before anything of the new part is done. Source's control thread; status reads copies.
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
#include "control/failover/cut_record.h"
#include "control/failover/promotion.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

enum class HostRole : std::uint8_t { source, standby, fenced };
const char* to_string(HostRole role) noexcept;

// A promotion of this host, up to its latest durable step.
struct PromotionRecord {
  PromotionStep step = PromotionStep::none;
  std::uint32_t term = 0;
  StreamIdentity old_stream;
  Position sealed_at;               // where the old stream ends for good; set from `sealed` on
  std::uint32_t sealed_digest = 0;  // of the file that contains the seal (digest_up_to)
  std::string gtid;    // the GTIDs of everything up to there, shortened for people (shown_gtids)
  Uuid new_origin;     // of the new stream
  Position new_start;  // its first byte; set from `active` on

  bool operator==(const PromotionRecord&) const = default;
};

// GTIDs as people see them, and as the record has room for them: of a large set, the beginning.
std::string shown_gtids(const std::string& text);

struct RoleState {
  Uuid host_id;  // names this host as a candidate for ever
  HostRole role = HostRole::source;
  std::uint32_t fenced_by =
      0;                     // the term that ended our own; fenced only. 0: an operator fenced it
  std::string fence_reason;  // the reason that this operator gave
  PromotionRecord promotion;
  // The quorum rule that covers everything acknowledged so far; a new rule comes into force beside
  // it first. [S4] Empty: there was none.
  std::string rule;
  // Where the server's binlogs are, for when the server is down: the index's and the files' path
  // without their numbers.
  std::string binlog_index;
  std::string binlog_base;
  // A cut that was begun and is not known to be finished: it is continued before anything else.
  CutRecord cut;
  // A standby whose server has not been seen to follow it since the rejoin.
  bool rejoining = false;

  bool operator==(const RoleState&) const = default;
};

// Where the record is stored: a file, and in the simulator bytes in memory.
struct RoleMedium {
  std::string path;
  std::function<std::optional<std::vector<std::byte>>()> load;
  // Returns 0 when it is durable; otherwise an errno. It may be called again after an error.
  std::function<int(ConstBytes)> store;

  // The two slots of a DurableRecord. Throws StartupError.
  static RoleMedium file(std::string path);
};

// RoleFile: the role that is in force, and its record.
//
// A promotion, a rejoin and the lifting of a fence use store(): recorded before it is in force. A
// fence is the other way round, because a host whose disk fails must be fenced all the same: hold()
// puts it in force, and put_on_record() writes it, again and again until that succeeds. [S18]
class RoleFile {
 public:
  // Opens or creates the record; a host that has none yet begins as `first`. Throws StartupError.
  RoleFile(std::string path, HostRole first) : RoleFile(RoleMedium::file(std::move(path)), first) {}
  RoleFile(RoleMedium medium, HostRole first);

  const RoleState& state() const noexcept { return state_; }
  // Durable, and in force, when it returns 0; otherwise it returns an errno, and nothing has
  // changed.
  [[nodiscard]] int store(const RoleState& state);

  // In force at once, whatever the disk does.
  void hold(const RoleState& state);
  // Records what is in force. Returns 0, or an errno: try again later.
  [[nodiscard]] int put_on_record();
  bool on_record() const noexcept { return on_record_; }
  // The result of the last store that had something to write: 0, or its errno.
  int error() const noexcept { return error_; }
  // Where the record is, for people.
  const std::string& path() const noexcept { return medium_.path; }

 private:
  int write(const RoleState& state);

  RoleMedium medium_;
  RoleState state_;
  bool on_record_ = true;
  int error_ = 0;
};

}  // namespace binlane

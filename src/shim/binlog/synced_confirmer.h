// SyncedConfirmer: when a dump position may be announced as `synced`. [S7]
//
// With sync_binlog = 1 a dump thread only sends what the server has synced. So a dump position is a
// statement about stable storage, but only if the setting held when the bytes were written. The
// rule here: a position counts once a poll that *began after* the position was seen says
// sync_binlog = 1, and every poll since our last own sync said so too. Any other answer, a lost
// poll, or the start of an incarnation takes the trust away, because the binlog may then contain
// bytes that nobody synced. Only a sync of our own, begun after a poll that says 1 again, restores
// the trust.
//
// Exception: the class cannot see sync_binlog set to 0 and back to 1 between two polls. The
// server's next sync of that file closes such a window.
//
// No I/O, no clock; owned by the control thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/position.h"

namespace binlane {

class SyncedConfirmer {
 public:
  // The newest dump position, just before a poll is sent.
  void on_poll_begin(const Position& dump_position) noexcept;
  // The poll's answer; empty when it failed.
  void on_poll_end(std::optional<std::uint64_t> sync_binlog) noexcept;

  // A sync of our own is needed. Do it like this: call own_sync_begin(), and if that returns true
  // read the newest file's size, fdatasync every file above synced(), and call on_own_sync() with
  // the size that was read. This order matters, because what is beyond that size was written under
  // a confirmed setting.
  bool needs_own_sync() const noexcept { return !trusted_; }
  // Returns false if the latest poll has not confirmed the setting, so that a sync now would not
  // restore the trust.
  bool own_sync_begin() noexcept;
  // We have synced everything up to `position` ourselves, which is true whatever the setting is.
  void on_own_sync(const Position& position) noexcept;

  // A new incarnation, or a new connection to a server that may have restarted. What was announced
  // remains true for its own incarnation; the new one starts from `synced`.
  void restart(const Position& synced) noexcept;

  const Position& synced() const noexcept { return synced_; }
  std::uint64_t distrusts() const noexcept { return distrusts_; }

 private:
  Position synced_;
  Position candidate_;  // seen before the poll in progress
  bool poll_under_way_ = false;
  bool setting_is_one_ = false;   // the latest poll's answer
  bool own_sync_counts_ = false;  // every poll since own_sync_begin() said 1
  bool trusted_ = false;
  std::uint64_t distrusts_ = 0;
};

}  // namespace binlane

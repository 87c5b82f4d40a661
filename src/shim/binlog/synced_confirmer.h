// SyncedConfirmer: when a dump position may be announced as `synced` (safety rule S7).
//
// With sync_binlog = 1 a dump thread only sends what the server has synced, so a dump position is a
// statement about stable storage, but only while the setting held when the bytes were written. The
// rule here: a position counts once a poll that *began after* the position was seen says
// sync_binlog = 1, and every poll since the last sync of our own said so too. Any other answer, a
// lost poll, or the start of an incarnation takes the trust away; then bytes may lie in the binlog
// that nobody synced, and only a sync of our own, begun after a poll that says 1 again, brings the
// trust back.
//
// What it cannot see: sync_binlog set to 0 and back to 1 between two polls. Such a window is closed
// by the server's next sync of that file.
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

  // A sync of our own is wanted. It is done like this: own_sync_begin(), and if that says true read
  // the newest file's size, fdatasync every file above synced(), and call on_own_sync() with the
  // size that was read. In this order: what lies beyond that size was written under a confirmed
  // setting.
  bool needs_own_sync() const noexcept { return !trusted_; }
  // False: the latest poll has not confirmed the setting, so that a sync now would not bring the
  // trust back.
  bool own_sync_begin() noexcept;
  // We have synced everything up to `position` ourselves: true whatever the setting is.
  void on_own_sync(const Position& position) noexcept;

  // A new incarnation, or a new connection to a server that may have restarted. What was announced
  // stays true for its own incarnation; `synced` is what the new one starts from.
  void restart(const Position& synced) noexcept;

  const Position& synced() const noexcept { return synced_; }
  std::uint64_t distrusts() const noexcept { return distrusts_; }

 private:
  Position synced_;
  Position candidate_;  // seen before the poll under way
  bool poll_under_way_ = false;
  bool setting_is_one_ = false;   // the latest poll's answer
  bool own_sync_counts_ = false;  // every poll since own_sync_begin() said 1
  bool trusted_ = false;
  std::uint64_t distrusts_ = 0;
};

}  // namespace binlane

// SourceShim: what binlane_source.so does at each step of a commit, without the server's
// structures. SPDX-License-Identifier: GPL-2.0-only
//
// after_flush rings the daemon's doorbell: the bytes are in the binlog, and not synced yet. Then,
// at after_sync once a group or at after_commit once a transaction, the thread waits until a quorum
// has the bytes. Every wait ends: by the quorum, the timeout, KILL, shutdown, a daemon that asks
// for no wait, a plugin that is switched off or uninstalled.
//
// KILL releases the killed client's own transaction and no other. If it hits the thread that waits
// for its whole group, the wait at after_sync ends, and each other transaction of the group waits
// at after_commit, although its rows can be seen already. [S8]
//
// As with the server's own semi-sync, the shim is ON or OFF. A timeout switches it OFF, and commits
// go on at once. It is ON again when the daemon lives, wants commits to wait, and has a quorum of
// everything that was written. Whatever goes on without a quorum is counted on the page before.
// [S8]
//
// Any thread of the server may call any function; flushed() is called by one thread at a time (the
// server holds LOCK_log).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "binlane/shim_page.h"
#include "binlane/shim_page_file.h"

namespace binlane {

// What the shim needs of the server that it is in.
class HostServer {
 public:
  virtual ~HostServer() = default;
  virtual bool is_killed() const = 0;  // KILL of the client whose transaction waits
  virtual bool is_shutting_down() const = 0;
  virtual void begin_stage() = 0;  // of the calling thread, which waits from now on
  virtual void end_stage() = 0;
  virtual void log(const std::string& text) = 0;
};

// The plugin's status variables.
struct SourceStatus {
  bool on = false;
  std::uint64_t clients = 0;
  std::uint64_t yes_tx = 0;
  std::uint64_t no_tx = 0;
  std::uint64_t no_times = 0;
  std::uint64_t wait_sessions = 0;
  std::uint64_t tx_waits = 0;
  std::uint64_t tx_wait_time_us = 0;
  std::uint64_t tx_avg_wait_time_us = 0;
  std::uint64_t wait_p50_us = 0;
  std::uint64_t wait_p99_us = 0;
};

class SourceShim {
 public:
  // `variables` are the plugin's system variables; their member `on` does not count.
  SourceShim(std::unique_ptr<shim_page::PageFile> file, HostServer& server,
             const shim_page::Settings& variables);

  void set(const shim_page::Settings& variables);
  void flushed(const char* file_name, std::uint64_t offset);
  void synced(const char* file_name, std::uint64_t offset);
  void committed(const char* file_name, std::uint64_t offset);
  // Ends all waits for good: the plugin is about to be uninstalled.
  void leave();
  SourceStatus status();

 private:
  // Why a wait was ended from this side.
  enum class Stop : std::uint8_t { none, timeout, kill, shutdown, off };
  class Limits;
  // What both sides have said last.
  struct Said {
    shim_page::Entry answer;
    shim_page::Place written;
  };

  shim_page::Settings variables() const { return shim_page::Settings::unpack(variables_.load()); }
  bool is_on() const { return on_.load() && !leaving_.load(); }
  // Nothing if a side wrote all the time; then nothing is known, and nothing changes.
  std::optional<Said> listen();
  // Switches ON or OFF by what was said.
  void refresh();
  void arrive(const char* file_name, std::uint64_t offset, bool is_group);
  void switch_on(const shim_page::Place& place);
  void switch_off(const std::string& why);
  void show_settings();
  void wait(const shim_page::Place& place, const shim_page::Orders& orders, bool is_group);
  void go_on_without(const std::string& why);

  std::unique_ptr<shim_page::PageFile> file_;
  shim_page::Page& page_;
  HostServer& server_;
  shim_page::HardwareAtomics atomics_;
  std::atomic<std::uint64_t> variables_{0};
  std::atomic<bool> on_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<std::uint64_t> yes_tx_{0};
  shim_page::Place written_;  // of flushed() alone
  std::mutex mutex_;          // for what follows
  Histogram<3, 40> wait_us_;
};

}  // namespace binlane

// ServiceNotifier: tells systemd that the daemon is ready and what it does (STATUS=, at every
// change), and feeds its watchdog for as long as every lane and every ordinary thread turns.
// Without systemd it does nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "control/daemon/watchdog.h"

namespace binlane {

class ServiceNotifier {
 public:
  // Both are called on this object's thread. `summary` is one line, which `systemctl status` shows.
  ServiceNotifier(std::function<WatchedThreads()> threads, std::function<std::string()> summary);
  // Says that the daemon is ending.
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  void ready();
  // Before and after a reload; ready() ends it.
  void reloading();

  // Why the process ends before it was ready: shown until the next start. Waits, with a bound,
  // until systemd has read it, because systemd hears nothing any more from a process that has
  // ended.
  static void last_words(std::string why);

 private:
  void run(std::uint64_t feed_ns);
  void feed();
  void show();

  std::function<WatchedThreads()> threads_;
  std::function<std::string()> summary_;
  Watchdog watchdog_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::string shown_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace binlane

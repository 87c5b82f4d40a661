// ServiceNotifier: tells systemd that the daemon is up and what it does (STATUS=, at every change),
// and feeds its watchdog for as long as every lane and every ordinary thread turns. Without systemd
// it does nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "control/watchdog.h"

namespace binlane {

class ServiceNotifier {
 public:
  // Both are called on a thread of this. `summary` is one line: what `systemctl status` shows.
  ServiceNotifier(std::function<WatchedThreads()> threads, std::function<std::string()> summary);
  // Says that the daemon is ending.
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  void ready();
  // Around a reload, which ready() ends.
  void reloading();

  // Why the process ends before it was up: shown until the next start. Waits, with a bound, until
  // systemd has read it, because of a process that has ended it hears nothing any more.
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

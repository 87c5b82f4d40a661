// ServiceStatus: keeps the line that `systemctl status` shows up to date, on a thread of its own.
// Without systemd it does nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace binlane {

class ServiceStatus {
 public:
  // `summary` is one line; any thread may call it.
  explicit ServiceStatus(std::function<std::string()> summary);
  ~ServiceStatus();
  ServiceStatus(const ServiceStatus&) = delete;
  ServiceStatus& operator=(const ServiceStatus&) = delete;

  // The line as it is now.
  std::string text() const;

  // Why the process ends before it was up: shown until the next start. Waits, with a bound, until
  // systemd has read it, because of a process that has ended it hears nothing any more.
  static void last_words(const std::string& why);

 private:
  void tell();

  std::function<std::string()> summary_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace binlane

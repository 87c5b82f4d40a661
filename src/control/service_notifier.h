// ServiceNotifier: tells systemd that the daemon is up, and feeds its watchdog for as long as the
// lanes turn, every one of them. Without systemd it does nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace binlane {

class ServiceNotifier {
 public:
  // `turns` of each lane grow while all is well; any thread may call it.
  explicit ServiceNotifier(std::function<std::vector<std::uint64_t>()> turns);
  // Says that the daemon is ending.
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  void ready(const std::string& status);
  // Around a reload.
  void reloading();

 private:
  void feed(std::uint64_t interval_us);

  std::function<std::vector<std::uint64_t>()> turns_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace binlane

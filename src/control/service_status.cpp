#include "control/service_status.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kInterval{500};
constexpr std::uint64_t kLastWordsTimeoutUs = 2'000'000;
// A datagram to systemd takes more, a screen does not.
constexpr std::size_t kMaxLineBytes = 1000;

// STATUS= takes one line.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.resize(std::min(text.size(), kMaxLineBytes));
  return text;
}

}  // namespace

ServiceStatus::ServiceStatus(std::function<std::string()> summary) : summary_(std::move(summary)) {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  thread_ = std::thread([this] { tell(); });
}

ServiceStatus::~ServiceStatus() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string ServiceStatus::text() const {
  return one_line(summary_());
}

void ServiceStatus::tell() {
  std::string told;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    std::string now = text();
    if (now == told) continue;
    ::sd_notify(0, fmt::format("STATUS={}", now).c_str());
    told = std::move(now);
  }
}

void ServiceStatus::last_words(const std::string& why) {
  if (::sd_notify(0, fmt::format("STATUS={}", one_line(why)).c_str()) > 0)
    ::sd_notify_barrier(0, kLastWordsTimeoutUs);
}

}  // namespace binlane

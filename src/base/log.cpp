#include "base/log.h"

#include <atomic>
#include <mutex>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "base/log_limit.h"
#include "base/wire_log.h"

namespace binlane::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("binlane", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("ts=%Y-%m-%dT%H:%M:%S.%f%z level=%l %v");
    made.flush_on(spdlog::level::debug);
    return made;
  }();
  return instance;
}

Sink other_sink = nullptr;
Format format_in_use = Format::logfmt;

struct Limited {
  std::mutex mutex;
  LogLimiter limiter;  // guarded by mutex
  std::atomic<bool> has_left{false};
};

Limited& limited_lines() {
  static Limited instance;
  return instance;
}

// The quoting of logfmt, which is JSON's as well: what would end the value or the line is escaped.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
          out += c;
    }
  }
  return out + '"';
}

}  // namespace

void set_level(Level level) noexcept {
  logger().set_level(to_spdlog(level));
}

void set_format(Format format) {
  format_in_use = format;
  logger().set_pattern(format == Format::json
                           ? "{\"ts\":\"%Y-%m-%dT%H:%M:%S.%f%z\",\"level\":\"%l\",%v}"
                           : "ts=%Y-%m-%dT%H:%M:%S.%f%z level=%l %v");
}

void set_sink(Sink sink) noexcept {
  other_sink = sink;
}

void write(Level level, std::string_view event, std::string_view message) {
  if (other_sink != nullptr) return other_sink(level, event, message);
  const auto target = to_spdlog(level);
  if (!logger().should_log(target)) return;
  if (format_in_use == Format::json)
    logger().log(target, "\"event\":{},\"msg\":{}", quoted(event), quoted(message));
  else
    logger().log(target, "event={} msg={}", event, quoted(message));
}

void write_limited(Level level, std::string_view event, std::string_view subject,
                   std::string_view message) {
  // A simulator's time is not ours, and its trace must be the same in every run.
  if (other_sink != nullptr) return other_sink(level, event, message);
  const std::string key = fmt::format("{}{}{}", event, subject.empty() ? "" : " ", subject);
  LogLimiter::Verdict verdict;
  {
    Limited& lines = limited_lines();
    const std::lock_guard lock(lines.mutex);
    verdict = lines.limiter.admit(key, monotonic_ns());
    lines.has_left.store(lines.limiter.has_left(), std::memory_order_relaxed);
  }
  if (!verdict.write) return;
  if (verdict.suppressed == 0) return write(level, event, message);
  write(level, event, fmt::format("{} (and {} more before it)", message, verdict.suppressed));
}

void tell_suppressed() {
  Limited& lines = limited_lines();
  if (!lines.has_left.load(std::memory_order_relaxed)) return;
  std::vector<LogLimiter::Left> all;
  {
    const std::lock_guard lock(lines.mutex);
    all = lines.limiter.take_left(monotonic_ns());
    lines.has_left.store(lines.limiter.has_left(), std::memory_order_relaxed);
  }
  for (const LogLimiter::Left& left : all)
    write(Level::warning, "log_suppressed",
          fmt::format("{}: and {} more", left.key, left.suppressed));
}

}  // namespace binlane::log

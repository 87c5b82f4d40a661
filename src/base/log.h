// Log lines on standard error, in logfmt: ts=… level=… event=<stable id> msg="…", or the same as
// one JSON object a line.
//
// Lanes never log: they count, and hand events to an ordinary thread through a queue. `event` is a
// stable identifier that operators may alert on; `message` is for people and may change.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace binlane::log {

enum class Level { debug, info, warning, error };
enum class Format { logfmt, json };

// Lines below this level are dropped. Safe from any thread.
void set_level(Level level) noexcept;
// To be set before other threads write.
void set_format(Format format);
// Takes the lines instead of standard error; null: standard error again. For the simulator, whose
// trace they belong to; to be set before other threads write.
using Sink = void (*)(Level level, std::string_view event, std::string_view message);
void set_sink(Sink sink) noexcept;
// Thread-safe; one write(2) a line.
void write(Level level, std::string_view event, std::string_view message);

template <class... Args>
void debug(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, event, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, event, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, event, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, event, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace binlane::log

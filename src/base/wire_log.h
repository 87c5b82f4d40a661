// Log lines that a frame of the network can cause: at most one a second for each event and subject,
// and then "and N more" (base/log_limit.h). Whoever can send us frames must not fill the disk.
//
// For ordinary threads: they wait for one another here.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/log.h"

namespace binlane::log {

// `subject`: what it is about, such as a replica's name, where the configuration bounds how many
// there are; empty otherwise.
void write_limited(Level level, std::string_view event, std::string_view subject,
                   std::string_view message);
// Tells of lines that were kept back, once their second is over. To be called now and then by the
// threads that take frames.
void tell_suppressed();

template <class... Args>
void limited(Level level, std::string_view event, std::string_view subject,
             fmt::format_string<Args...> format, Args&&... args) {
  write_limited(level, event, subject, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace binlane::log

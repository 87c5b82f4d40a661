// Log lines that frames from the network can cause: at most one a second for each event and
// subject, and then "and N more" (base/log_limit.h). A peer that can send us frames must not fill
// the disk.
//
// For ordinary threads, because they wait for one another here.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/log.h"

namespace binlane::log {

// `subject`: what the line is about, such as a replica's name, if the configuration bounds the
// number of subjects; empty otherwise.
void write_limited(Level level, std::string_view event, std::string_view subject,
                   std::string_view message);
// Reports suppressed lines whose second is over. The threads that take frames call it from time to
// time.
void tell_suppressed();

template <class... Args>
void limited(Level level, std::string_view event, std::string_view subject,
             fmt::format_string<Args...> format, Args&&... args) {
  write_limited(level, event, subject, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace binlane::log

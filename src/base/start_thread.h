// Starts a thread while the daemon runs. The kernel may refuse a thread (a limit on processes, no
// memory for its stack). That is an error like any other, and does not end the daemon.
#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"

namespace binlane {

// Empty, or why there is no thread; then `thread` is unchanged.
template <class Body>
std::string start_thread(std::thread& thread, Body&& body) {
  try {
    thread = std::thread(std::forward<Body>(body));
  } catch (const std::system_error& error) {
    return "no thread can be started: " + errno_text(error.code().value());
  }
  return {};
}

}  // namespace binlane

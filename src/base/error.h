// StartupError: what a set-up step throws when the daemon cannot start as configured. The text is
// for the operator: what was found, where, and what to do. Exceptions are thrown while starting up
// only; running code returns its errors as values.
#pragma once

#include <stdexcept>
#include <string>

namespace binlane {

class StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "strerror(code) (code)"; not for lanes.
std::string errno_text(int code);

}  // namespace binlane

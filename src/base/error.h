// StartupError: what a set-up step throws when the daemon cannot start as configured. The text is
// for the operator: what was found, where, and what to do. Exceptions are thrown while starting up
// only; running code returns its errors as values (tests/unit/throw_sites_test.py holds the list).
#pragma once

#include <stdexcept>
#include <string>

namespace binlane {

class StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The kernel had none left: descriptors, memory. It may have some again at any time, and
// whatever met this has changed nothing.
bool is_scarcity(int code) noexcept;

// "strerror(code) (code)"; not for lanes.
std::string errno_text(int code);

}  // namespace binlane

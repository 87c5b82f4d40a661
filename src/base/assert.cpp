#include "base/assert.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace binlane {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  char text[512];
  const int length =
      std::snprintf(text, sizeof text, "assertion failed: %s at %s:%d\n", expression, file, line);
  if (length > 0) {
    const auto wanted =
        static_cast<size_t>(length) < sizeof text ? static_cast<size_t>(length) : sizeof text - 1;
    // Nothing sensible is left to do when standard error is gone too.
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text, wanted);
  }
  std::abort();
}

}  // namespace binlane

// Assertions that stay on in release builds.
//
// A failed assertion is a programmer's error: the process states what it found and ends at once,
// because going on could acknowledge bytes that are not safe. Operating errors (a full disk, a lost
// peer) never come here; they are handled where they occur.
#pragma once

namespace binlane {

// Writes one line to standard error and calls abort(). Safe on any thread; does not allocate.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace binlane

#define BL_ASSERT(condition)                           \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::binlane::assertion_failed(#condition, __FILE__, __LINE__))

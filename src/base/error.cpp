#include "base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace binlane {

bool is_scarcity(int code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOMEM;
}

std::string errno_text(int code) {
  return fmt::format("{} (errno {})", std::generic_category().message(code), code);
}

}  // namespace binlane

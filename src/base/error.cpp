#include "base/error.h"

#include <fmt/format.h>

#include <system_error>

namespace binlane {

std::string errno_text(int code) {
  return fmt::format("{} (errno {})", std::generic_category().message(code), code);
}

}  // namespace binlane

// The live screen: the status again and again, with what happened in between a second.
#pragma once

#include <cstdint>

#include "control/cli/verb.h"

namespace binlane::cli {

struct TopOptions {
  std::uint32_t interval_ms = 1'000;
  std::uint32_t count = 0;  // 0: a screen of its own, until 'q'
};

int top(const Context& context, const TopOptions& options);

}  // namespace binlane::cli

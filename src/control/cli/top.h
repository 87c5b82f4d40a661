// The live screen: the status again and again, with rates of what happened in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/cli/verb.h"

namespace binlane::cli {

struct TopOptions {
  std::uint32_t interval_ms = 1'000;
  std::uint32_t count = 0;  // 0: a screen of its own, until 'q'
};

int top(const Context& context, const TopOptions& options);

// The values of one reading that are shown as rates.
struct TopSample {
  std::chrono::steady_clock::time_point at;
  std::uint64_t acknowledged = 0;
  std::string counted;  // what those are
  std::uint64_t bytes = 0;
  std::uint64_t retransmits = 0;
};
TopSample top_sample(const nlohmann::json& status);
// One screen; without a previous reading there is no rate.
std::string top_screen(const nlohmann::json& status, const std::optional<TopSample>& before,
                       const TopSample& now);

}  // namespace binlane::cli

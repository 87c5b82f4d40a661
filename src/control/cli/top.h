// The live screen: the status again and again, with what happened in between a second.
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

// What is shown as a rate, of one look.
struct TopSample {
  std::chrono::steady_clock::time_point at;
  std::uint64_t acknowledged = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retransmits = 0;
};
TopSample top_sample(const nlohmann::json& status);
// One screen; without a look before there is no rate.
std::string top_screen(const nlohmann::json& status, const std::optional<TopSample>& before,
                       const TopSample& now);

}  // namespace binlane::cli

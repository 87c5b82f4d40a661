// PromotionView: what operators see of a promotion.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/failover/promotion.h"

namespace binlane {

struct PromotionView {
  bool running = false;
  PromotionStep step = PromotionStep::none;
  std::uint32_t term = 0;
  std::vector<std::string> proof;
  std::string refusal;           // why the promotion ended without success; empty if it did not
  std::string better_candidate;  // the host to promote instead; empty if none is known
  std::string waiting_for;       // what the promotion waits for, as the end of "waits for …"
};

}  // namespace binlane

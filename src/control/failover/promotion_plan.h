// promotion_plan: what a promotion would need, for `binlane promote --dry-run`, and what follows
// from a fence without a promotion, for `binlane fence`. Pure.
//
// Comparing a peer's log would have consequences there: the peer would have to end its session with
// the source first, and its writes in flight. So a dry run only tells what this host holds, the
// rules on record here, which hosts would have to answer, and what the peers have answered to a
// look, which changes nothing there (PromotionSurvey).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/failover/promotion.h"

namespace binlane {

// In lines for operators. `term`: the one that would be asked for. `seen`: what the survey has
// found.
std::vector<std::string> promotion_plan(const PromotionLog& candidate, std::uint32_t term,
                                        const std::vector<std::string>& seen);

// For each rule on a log's record: which other hosts have to be fenced so that the rule cannot be
// satisfied any more.
std::vector<std::string> fence_plan(const PromotionLog& log);

// What `binlane fence` did to a log that has promised `term` to nobody, and how that state ends.
std::vector<std::string> fence_report(const PromotionLog& log, std::uint32_t term);

}  // namespace binlane

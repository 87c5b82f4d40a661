// promotion_plan: what a promotion would ask for, said without asking (`binlane promote
// --dry-run`), and what a fence without a promotion leads to (`binlane fence`).
//
// A peer's log cannot be compared from outside without consequences: its writes in flight have to
// end first, and with them its session with the source. So a dry run tells what this host holds,
// the rules on its record and who would have to answer, and what the peers answered to a look,
// which changes nothing there (PromotionSurvey). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/promotion.h"

namespace binlane {

// Lines for people. `term` is the one that would be bid for, `seen` what the survey says.
std::vector<std::string> promotion_plan(const PromotionLog& candidate, std::uint32_t term,
                                        const std::vector<std::string>& seen);

// For each rule on a log's record: who else has to be fenced, until it can be satisfied no more.
std::vector<std::string> fence_plan(const PromotionLog& log);

// What `binlane fence` did to a log that promised `term` to nobody, and how to leave that.
std::vector<std::string> fence_report(const PromotionLog& log, std::uint32_t term);

}  // namespace binlane

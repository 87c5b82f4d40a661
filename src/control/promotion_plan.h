// promotion_plan: what a promotion would ask for, said without asking (`binlane promote
// --dry-run`), and what a fence without a promotion leads to (`binlane fence`).
//
// A peer's log cannot be looked at from outside without consequences: its writes in flight have to
// end first, and with them its session with the source; and unless it was fenced, what it says is
// not true any more a moment later. So a dry run tells what this host knows by itself: its own log,
// the rules on its record, and for each of them who would have to answer. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/promotion.h"

namespace binlane {

// Lines for people. `term` is the one that would be bid for, `source` whoever is in a session with
// this host now (empty: nobody).
std::vector<std::string> promotion_plan(const PromotionLog& candidate, std::uint32_t term,
                                        const std::string& source);

// For each rule on a log's record: who else has to be fenced, until it can be satisfied no more.
std::vector<std::string> fence_plan(const PromotionLog& log);

// What `binlane fence` did to a log that promised `term` to nobody, and how to leave that.
std::vector<std::string> fence_report(const PromotionLog& log, std::uint32_t term);

}  // namespace binlane

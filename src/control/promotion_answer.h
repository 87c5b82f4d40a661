// promotion_answer: what a peer's inspection means to a promotion, and the rules that journals have
// on record as their texts. Pure; shared by the promoter and the simulator.
#pragma once

#include <string>
#include <vector>

#include "control/promotion.h"
#include "dataplane/source_handshake.h"

namespace binlane {

// Rules from their texts, as journals have them on record.
std::vector<PromotionRule> promotion_rules(const std::vector<std::string>& texts);

PromotionAnswer promotion_answer(const std::string& name, const SourceHandshake::Inspection& found);

}  // namespace binlane

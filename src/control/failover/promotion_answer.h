// promotion_answer: turns what a peer's inspection has found into an answer for Promotion. Pure;
// shared by the promoter and the simulator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/failover/promotion.h"
#include "control/stream/session_manager.h"
#include "dataplane/session/source_handshake.h"

namespace binlane {

PromotionAnswer promotion_answer(const std::string& name, const SourceHandshake::Inspection& found);

// Hands all answers and refusals of the peers to `promotion`.
void take_inspections(Promotion& promotion, const std::vector<SessionManager::ReplicaView>& peers);
// The largest term that a peer has promised to another candidate; 0: none has.
std::uint32_t promised_elsewhere(const std::vector<SessionManager::ReplicaView>& peers);

}  // namespace binlane

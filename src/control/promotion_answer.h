// promotion_answer: what a peer's inspection means to a promotion. Pure; shared by the promoter and
// the simulator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/handshake_desk.h"
#include "control/promotion.h"
#include "dataplane/source_handshake.h"

namespace binlane {

PromotionAnswer promotion_answer(const std::string& name, const SourceHandshake::Inspection& found);

// What the peers have answered so far.
void take_inspections(Promotion& promotion, const std::vector<HandshakeDesk::ReplicaView>& peers);
// The largest term that a peer has promised to somebody else; 0: none has.
std::uint32_t promised_elsewhere(const std::vector<HandshakeDesk::ReplicaView>& peers);

}  // namespace binlane

// What a HELLO must look like. Of what is on record at the replica only the promised term counts.
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "binlane/wire.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

// A term grows by one with each promotion. A replica accepts no larger step than this, because a
// wrong term near the largest one would leave no room for a promotion. `binlane term reset` permits
// a larger step.
inline constexpr std::uint32_t kMaxTermStep = 1024;

// Why a HELLO is refused that none of our sources would send; empty if it is not. What is accepted
// may be stored, and binlaned must be able to read it when it starts again. `promised_term` is the
// term that is promised here.
std::string judge_form(const wire::HelloBody& body, const StreamIdentity& stream,
                       const Promise& candidate, std::uint32_t promised_term);

}  // namespace binlane

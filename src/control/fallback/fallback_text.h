// What the fallback state machine does, in words: names for the status, sentences for the log, and
// MySQL's own wording for people who search their logs for it. For ordinary threads.
#pragma once

#include <string>
#include <vector>

#include "control/fallback/fallback.h"

namespace binlane {

// "SEMISYNC → ASYNC: no quorum within the timeout (quorum at binlog.000017:4096, …)".
std::string transition_text(const FallbackTransition& transition, const std::string& basename);

// The lines that a stock server would have logged for it; may be none.
std::vector<std::string> classic_lines(const FallbackTransition& transition,
                                       const std::string& basename);

}  // namespace binlane

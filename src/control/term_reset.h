// term_reset: looks at the terms that this host has on record, and puts another one in their place,
// with the daemon stopped (`binlane term`): the way back from a promise that no promotion can
// follow, because a wrong or forged term came near the last one there is.
//
// A promise taken back may serve a deposed source again (S1, S14). So the operator confirms that
// all hosts' daemons are stopped, and does the same on each of them; the term must not be older
// than anything that this host's log or its binlogs bear. An ordinary program's main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "control/config.h"

namespace binlane {

struct TermReset {
  std::uint32_t term = 0;
  // The host id of the source that goes on in this term. Without one the term is promised to
  // nobody, and the next promotion begins the one after it.
  std::optional<Uuid> source;
};

struct TermReport {
  std::vector<std::string> found;
  std::vector<std::string> done;  // what was changed; empty after a refusal that came first
  std::string problem;            // why it was refused, or what went wrong
};

// `reset` null: only looks.
TermReport look_at_terms(const Config& config, const TermReset* reset);

}  // namespace binlane

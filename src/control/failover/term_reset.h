// term_reset: shows the terms that this host has on record, and replaces them by another one, while
// the daemon is stopped (`binlane term`). It is the way back from a promise that no promotion can
// follow, because a wrong or forged term came close to the largest one possible.
//
// A promise that is taken back may let the replica serve a deposed source again. [S1, S14] So the
// operator confirms that the daemons of all hosts are stopped, and does the same on each host. The
// term must not be older than any that this host's log or its binlogs bear. Main thread of an
// ordinary program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "control/config/config.h"

namespace binlane {

struct TermReset {
  std::uint32_t term = 0;
  // The host id of the source that continues in this term. Without one the term is promised to
  // nobody, and the next promotion asks for the term after it.
  std::optional<Uuid> source;
};

struct TermReport {
  std::vector<std::string> found;
  std::vector<std::string> done;  // what was changed; empty after a refusal before any change
  std::string problem;            // why it was refused, or what went wrong
};

// Without `reset` (null) it only shows.
TermReport look_at_terms(const Config& config, const TermReset* reset);

}  // namespace binlane

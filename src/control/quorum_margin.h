// quorum_margin(): how many more replicas may be lost before the rule cannot be satisfied,
// whichever they are; -1: it cannot be satisfied now. Pure.
#pragma once

#include "dataplane/quorum_rule.h"
#include "dataplane/source_cycle.h"

namespace binlane {

int quorum_margin(const QuorumRule& rule, const SourceMarks& marks);

}  // namespace binlane

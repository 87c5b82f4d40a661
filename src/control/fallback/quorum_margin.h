// quorum_margin(): how many more replicas may be lost, whichever they are, before the rule cannot
// be satisfied; -1: it cannot be satisfied now. Pure.
#pragma once

#include "dataplane/lane/source_queues.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

int quorum_margin(const QuorumRule& rule, const SourceMarks& marks);

}  // namespace binlane

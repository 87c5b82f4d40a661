// PortConflict: whether two ports of one configuration exclude each other. Pure.
#pragma once

#include <string>

#include "dataplane/port/port_config.h"

namespace binlane {

struct PortUse {
  PortSpec port;
  Endpoint local;
};

// Why the second port cannot be used beside the first, in words that follow "…"; empty if it can.
// Two uses of one section with the same text share a port and are no conflict: do not ask about
// them.
std::string port_conflict(const PortUse& first, const PortUse& second);

}  // namespace binlane

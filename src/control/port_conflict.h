// PortConflict: whether two ports of one configuration cannot both be had. Pure.
#pragma once

#include <string>

#include "dataplane/port_config.h"

namespace binlane {

struct PortUse {
  PortSpec port;
  Endpoint local;
};

// Why the second cannot be had beside the first, in words that follow "…"; empty: it can. Two uses
// of one section with the same text share a port and are no conflict: they are not to be asked
// about.
std::string port_conflict(const PortUse& first, const PortUse& second);

}  // namespace binlane

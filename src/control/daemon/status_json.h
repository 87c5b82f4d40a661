// What the parts of a status have in common as JSON. Any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "dataplane/lane/queue_count.h"
#include "dataplane/port/port.h"

namespace binlane {

// {"file", "offset"}; null for no position.
nlohmann::json position_json(const Position& position);

nlohmann::json text_or_null(const std::string& text);

// The last address whose datagrams were dropped because it belongs to no peer.
nlohmann::json unknown_peer_json(std::uint64_t count, const Endpoint& last);

nlohmann::json queues_json(const std::vector<QueueCount>& queues);

}  // namespace binlane

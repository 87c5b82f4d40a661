#include "control/daemon/status_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/config/config_value.h"

namespace binlane {

using nlohmann::json;

json position_json(const Position& position) {
  if (position.is_null()) return nullptr;
  return {{"file", position.file}, {"offset", position.offset}};
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json unknown_peer_json(std::uint64_t count, const Endpoint& last) {
  return count == 0 ? json(nullptr) : json(endpoint_text(last));
}

json queues_json(const std::vector<QueueCount>& queues) {
  json rows = json::array();
  for (const QueueCount& count : queues)
    rows.push_back({{"queue", count.queue}, {"times_full", count.times_full}});
  return rows;
}

}  // namespace binlane

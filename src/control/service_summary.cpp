#include "control/service_summary.h"

#include <fmt/format.h>

#include <string_view>

namespace binlane {
namespace {

using nlohmann::json;

// A member that is a text; anything else is an empty one.
std::string text_at(const json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_true(const json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string source_summary(const json& source) {
  const std::string role = text_at(source, "role");
  const std::string state = text_at(source, "state");
  std::string line = role == state ? role : fmt::format("{} {}", role, state);
  if (role == "SOURCE") {
    std::size_t connected = 0;
    std::size_t all = 0;
    for (const json& replica : source.value("replicas", json::array())) {
      ++all;
      if (is_true(replica, "connected")) ++connected;
    }
    line += fmt::format(", {} of {} replicas, epoch {}", connected, all, text_at(source, "epoch"));
  }
  if (const std::string problem = text_at(source, "problem"); !problem.empty())
    line += ": " + problem;
  return line;
}

std::string replica_summary(const json& replica) {
  if (text_at(replica, "state") == "DIVERGED") return "DIVERGED replica, to be rebuilt";
  const std::string source = text_at(replica, "source");
  if (is_true(replica, "connected")) return fmt::format("replica of {}", source);
  const std::string refusal = text_at(replica, "refusal");
  return refusal.empty() ? "replica without a source" : "replica without a source: " + refusal;
}

}  // namespace

std::string service_summary(const json& status) {
  const auto source = status.find("source");
  const auto replica = status.find("replica");
  std::string line;
  if (source != status.end()) line = source_summary(*source);
  // While a host with both sections is the source, its replica's section does not run.
  const bool replicates = source == status.end() || text_at(*source, "role") != "SOURCE";
  if (replica != status.end() && replicates)
    line += (line.empty() ? "" : ", ") + replica_summary(*replica);
  return line;
}

}  // namespace binlane

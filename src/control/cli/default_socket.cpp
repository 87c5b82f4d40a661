#include "control/cli/default_socket.h"

#include <unistd.h>

#include <toml++/toml.h>

namespace binlane::cli {
namespace {

// Only this one key is read: a file with faults elsewhere names its socket all the same, and
// password files are not opened.
std::string socket_in(const char* path) {
  if (::access(path, R_OK) != 0) return {};
  try {
    const toml::table root = toml::parse_file(path);
    return root["admin_socket"].value_or(std::string());
  } catch (const toml::parse_error&) {
    return {};
  }
}

}  // namespace

std::string default_socket(const SocketPlaces& places) {
  if (std::string named = socket_in(places.config); !named.empty()) return named;
  for (const char* place : {places.runtime, places.data}) {
    if (::access(place, F_OK) == 0) return place;
  }
  return places.runtime;
}

}  // namespace binlane::cli

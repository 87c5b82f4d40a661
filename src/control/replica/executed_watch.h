// ExecutedWatch: how much the replica's own server has executed of what the feed gave it.
// AppliedWatch asks a real server; the simulator's server answers by itself.
#pragma once

#include <optional>
#include <string>

#include "base/position.h"

namespace binlane {

class ExecutedWatch {
 public:
  ExecutedWatch() = default;
  ExecutedWatch(const ExecutedWatch&) = delete;
  ExecutedWatch& operator=(const ExecutedWatch&) = delete;
  virtual ~ExecutedWatch() = default;

  // Returns an empty string, or why it cannot watch; it may be called again then.
  virtual std::string start() = 0;
  virtual void stop() = 0;
  // Any thread: the server has executed everything of this stream before this position. Nothing
  // until the server has answered.
  virtual std::optional<Position> executed() const = 0;
};

}  // namespace binlane

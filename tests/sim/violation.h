// Violation: what a check throws. It ends the run, and the runner reports the seed.
#pragma once

#include <stdexcept>
#include <string>

namespace binlane::sim {

class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace binlane::sim

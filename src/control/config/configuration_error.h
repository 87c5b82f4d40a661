// ConfigurationError: a StartupError whose cause is the configuration itself. Starting again cannot
// help before somebody has changed a file.
#pragma once

#include "base/error.h"

namespace binlane {

class ConfigurationError : public StartupError {
 public:
  using StartupError::StartupError;
};

}  // namespace binlane

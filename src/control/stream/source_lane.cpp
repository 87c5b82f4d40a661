#include "control/stream/source_lane.h"

#include <memory>

#include "base/assert.h"

namespace binlane {

bool SourceLane::quiesce() {
  return queues().pause.wait_quiesced();
}

void SourceLane::bind(const std::string& directory, const std::string& basename) {
  BL_ASSERT(drain_ != nullptr);
  bind_to(std::make_unique<PosixBinlogFiles>(directory, basename), *drain_, basename);
}

}  // namespace binlane

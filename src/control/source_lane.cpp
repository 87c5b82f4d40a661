#include "control/source_lane.h"

#include "base/assert.h"

namespace binlane {

bool SourceLane::stand_still() {
  return queues_.pause.wait_standing();
}

void SourceLane::begin_looking() {
  BL_ASSERT(queues_.pause.standing());
  HelloMessage stale;
  while (queues_.hello_in.try_pop(stale)) {
  }
  looks_.emplace(std::span<AnyPort* const>(ports_), queues_);
}

void SourceLane::end_looking() {
  BL_ASSERT(queues_.pause.standing());
  looks_.reset();
}

void SourceLane::bind(const std::string& directory, const std::string& basename, DumpDrain& drain) {
  BL_ASSERT(queues_.pause.standing());
  parts_.reset();
  parts_ = std::make_unique<Parts>(ports_, PosixBinlogFiles(directory, basename), basename, drain,
                                   queues_, peers_);
}

int SourceLane::begin_incarnation(StreamStart& start, Epoch epoch, const QuorumRule& rule,
                                  std::uint64_t now_ns) {
  BL_ASSERT(queues_.pause.standing() && !looks_);
  const int error = parts_->stream.start(start, now_ns);
  if (error != 0) return error;
  // Commands and events of the last incarnation mean nothing any more.
  SourceCommand command;
  while (queues_.commands.try_pop(command)) {
  }
  parts_->cycle.rebuild(epoch, rule);
  parts_->link.begin_incarnation(epoch.incarnation);
  return 0;
}

}  // namespace binlane

// GuardedWrites: keeps the server read-only while a WriteGuard is closed. [S18, S21] Source's
// control thread.
#pragma once

#include <cstdint>
#include <string>

#include "control/source/source_incarnation.h"
#include "control/source/source_parts.h"
#include "control/source/write_guard.h"

namespace binlane {

class GuardedWrites {
 public:
  explicit GuardedWrites(SourceParts& parts) : parts_(parts) {}

  // This process was suspended for `pause_ns`. `running` is the incarnation that runs, or null;
  // `found_read_only` says whether the server was read-only when the last incarnation began.
  // Returns true if the incarnation has to end, because only sessions that begin after the pause
  // prove that this host is still the source.
  bool suspended(std::uint64_t pause_ns, const SourceIncarnation* running, bool found_read_only);
  // One turn. `running` as above.
  void turn(std::uint64_t now_ns, const SourceIncarnation* running);

  WriteGuard& guard() noexcept { return guard_; }
  const WriteGuard& guard() const noexcept { return guard_; }
  // Why the server is kept read-only; empty while it may take writes.
  const std::string& problem() const noexcept { return problem_; }

 private:
  SourceParts& parts_;
  WriteGuard guard_;
  std::string problem_;
  std::uint64_t next_ns_ = 0;
};

}  // namespace binlane

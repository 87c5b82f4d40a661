// IncarnationStarter: begins incarnations of a source. It connects to the server and checks it,
// finds which stream the server's binlogs belong to, records that before anything else happens, and
// sets up the lane. Source's control thread. [S3, S6, S7, S16]
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "control/source/source_incarnation.h"

namespace binlane {

class IncarnationStarter {
 public:
  // Why no incarnation began.
  struct Refusal {
    enum class Kind : std::uint8_t {
      unreachable,  // the server does not answer
      refused,
      unfit  // the server, or its binlogs; commits go on meanwhile, so an interval is opened [S8]
    };
    Kind kind = Kind::refused;
    std::string problem;
    bool unrecorded = false;  // the disk did not take what has to be on record
    bool damaged = false;     // the binlogs are damaged, which does not pass by itself
  };

  // Everything given must outlive this object.
  IncarnationStarter(SourceParts& parts, const Config& config, SourceHistory history)
      : parts_(parts), config_(config), history_(history) {}

  // Returns null if no incarnation can begin; refusal() says why.
  std::unique_ptr<SourceIncarnation> begin(std::uint64_t now_ns);
  const Refusal& refusal() const noexcept { return refusal_; }
  // What the end of the last incarnation says about the stream of the next one.
  void set_next(const NextStream& next) {
    if (next.anew) next_stream_ = next;
  }
  // Binds the lane anew at the next begin(), because it is bound to other files than the server's.
  void forget_binding() { directory_.clear(); }

 private:
  using Begin = SourceIncarnation::Begin;
  std::unique_ptr<SourceIncarnation> refuse(Refusal::Kind kind, std::string problem);
  bool connect(ServerFacts& facts);
  Status record_wait_point();
  RestartProof observe_restart();
  std::unique_ptr<SourceIncarnation> begin_over(const ServerFacts& facts, std::uint64_t now_ns);
  Status adopt(const IncarnationStart& begin, const ServerFacts& facts);
  Status set_up_lane(const ListedBinlogs& listed, IncarnationStart& begin, const QuorumRule& rule,
                     std::uint64_t now_ns);
  SourceHandshake::Identity identity(bool rule_open) const;

  SourceParts& parts_;
  const Config& config_;
  SourceHistory history_;
  Refusal refusal_;
  NextStream next_stream_;
  std::string directory_;  // of the files that the lane is bound to; empty: not bound by us
};

}  // namespace binlane

// StartFinder: where an incarnation of a source begins, or why there can be none: which stream the
// binlogs are of (safety rules S3, S5, S16), and what of them is durable before the first byte of
// it is announced (S7). Also what ends an incarnation, and which stream the next one is of then.
//
// Blocks while it reads and syncs files: control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "control/stream/lane_handle.h"
#include "control/stream/source_state.h"
#include "shim/binlog/binlog_folder.h"
#include "shim/binlog/stream_scan.h"

namespace binlane {

// Which stream the next incarnation is of: the one on record, or a new one that begins with `file`
// (0: the first binlog there is).
struct NextStream {
  bool anew = false;
  std::uint32_t file = 0;
};

struct IncarnationEnd {
  std::string reason;
  NextStream next;
};

// What the server shows of its binlogs.
struct FoundBinlogs {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::string basename;
  std::string server_run;            // as it goes on record
  bool same_run = false;             // which is the one on record
  std::uint32_t run_first_file = 0;  // the first one of this run of the server
  std::string reset_binlogs;         // its statement that begins at binlog 1
};

struct IncarnationStart {
  SourceState state;  // to be stored before anything else happens
  StreamStart start;  // for the tailer
  std::uint32_t first = 0;
  bool same_stream = false;
  bool same_run = false;  // of the server, too
  // No commit of this stream has waited yet: what the server was told can only be of another (S16).
  bool fresh = false;
  // False: what could tell that the binlogs are this stream's was purged. Nothing that was
  // acknowledged before is known to be in them, and only the quorum of this incarnation says where
  // to register (S3).
  bool proven = true;
  // What was safe before this incarnation stays safe: nothing of it may be cut (S5).
  Position safe;
};

// What a stopped tailer means.
IncarnationEnd end_of(const TailView& tail);

// `state_path` is for people.
class StartFinder {
 public:
  StartFinder(const BinlogFolder& folder, const FoundBinlogs& found, std::string state_path)
      : folder_(folder), found_(found), state_path_(std::move(state_path)) {}

  // Nothing: refusal() says why.
  std::optional<IncarnationStart> find(const SourceState& before, const NextStream& next);
  const std::string& refusal() const noexcept { return refusal_; }
  // It was refused because of damage in the binlogs: that does not pass by itself.
  bool damaged() const noexcept { return damaged_; }

 private:
  std::nullopt_t refuse(std::string why);
  std::string new_beginning() const;
  std::string damage_remedy() const;
  bool settle_stream(SourceState& state, const NextStream& next);
  bool prove_stream(SourceState& state, bool& proven);
  std::optional<Position> sync_everything(std::uint32_t first);

  const BinlogFolder& folder_;
  const FoundBinlogs& found_;
  std::string state_path_;
  std::string refusal_;
  bool damaged_ = false;
};

}  // namespace binlane

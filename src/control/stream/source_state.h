// SourceState: what a source's binlaned must still know after a restart, and its format on disk.
//
// `quorum` is where the dump connection is registered again, and registration counts as an ACK. So
// it may be older than the truth but never newer: store it only after the gate has reached it. [S3]
// `counters` are the server's as last looked at, so that releases by the server while binlaned was
// down are noticed. [S8] The source's control thread owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "control/stream/stream_fingerprint.h"
#include "dataplane/session/source_handshake.h"
#include "shim/binlog/binlog_event.h"

namespace binlane {

// The server's semi-sync counters; they start at 0 with every run of the server.
struct ServerCounters {
  std::uint64_t yes_tx = 0;    // commits counted as acknowledged
  std::uint64_t no_tx = 0;     // commits counted as not acknowledged
  std::uint64_t no_times = 0;  // times the server switched semi-sync off by itself

  bool operator==(const ServerCounters&) const = default;
};

struct SourceState {
  Uuid origin;             // names the stream's source for ever
  Epoch epoch;             // of the last incarnation
  std::string basename;    // of the binlog files: "binlog"
  std::string server_run;  // identity of the server's process, opaque: boot, pid, start time
  Position stream_start;   // the stream's first byte
  Position run_start;      // start of the first file of that server run
  Position synced;         // the source has everything before it on stable storage
  Position quorum;         // a quorum has had everything before it
  // The ledger has what the server released by itself up to here. It is before `quorum`: until the
  // server was looked at, nobody knows.
  Position looked;
  ServerCounters counters;  // of that server run, when it was looked at
  // What the server released by itself after `looked` is not in the ledger yet: the server was
  // restarted and that was not recorded yet, or the ledger could not be written.
  bool unaccounted = false;
  // The last incarnation ended with everything in the ledger up to `looked`, and nothing that it
  // had noticed was missing. So on the same run of the server, whose counters have not moved, only
  // what follows `quorum` is unaccounted: the rest was released by ACKs.
  bool ended_in_order = false;
  // Commits have waited for a quorum in this stream, or were about to: written before the server is
  // switched ON for the first time. Until then it can only have been told of other binlogs. [S16]
  bool promised = false;
  // The engine may have committed what waits for a quorum: commits have waited AFTER_COMMIT, or may
  // have, and no quorum has covered all of them yet. Such a tail is not cut off. [S12]
  bool waits_committed = false;
  // What was safe when each incarnation began, oldest first, so that a replica that was away
  // meanwhile is held to what it must share, and to no more. See remember_safe_mark(). [S5]
  std::vector<SafeMark> safe_marks;
  // Proves after a restart that the binlogs still are this stream: at or before `synced`.
  StreamFingerprint anchor;

  bool operator==(const SourceState&) const = default;
};

// Of the stream: its first event.
inline Position beginning_of(const SourceState& state) noexcept {
  return {state.stream_start.file, kBinlogMagicSize};
}

// What the server released without a quorum, and the ledger may lack, begins here.
inline Position exposed_since(const SourceState& state) noexcept {
  return std::max(state.looked, beginning_of(state));
}

inline constexpr std::size_t kMaxStateBasenameLength = 512;
inline constexpr std::size_t kMaxServerRunLength = 256;
inline constexpr std::size_t kMaxSafeMarks = 64;

// Adds what is safe as `epoch` begins. Incarnations with the same mark share an entry. If there are
// too many the oldest are forgotten. A log that old is then held to more than it need share, and
// may be refused although it could be cut; never the other way round.
void remember_safe_mark(std::vector<SafeMark>& marks, const SafeMark& mark);

// Where to register with the server for this incarnation. Registering is an ACK of everything
// before, so it is never beyond what a quorum is known to have had. No client waits for what an
// earlier run of the server wrote. [S3]
Position registration_position(const SourceState& state) noexcept;

// The record's payload. Asserts the lengths above.
std::vector<std::byte> encode_source_state(const SourceState& state);

// Nothing if the bytes are not such a payload: another version, a wrong length, trailing bytes.
std::optional<SourceState> decode_source_state(ConstBytes bytes);

// Where the state is kept: a file (two slots, the newer valid one counts), and in the simulator
// bytes in memory.
struct StateMedium {
  std::string path;
  std::function<std::optional<std::vector<std::byte>>()> load;
  // Durable when it returns 0; otherwise an errno, which is final.
  std::function<int(ConstBytes)> store;

  // Throws StartupError.
  static StateMedium file(std::string path);
};

class SourceStateFile {
 public:
  // Opens or creates the record. Throws StartupError for damage or another version.
  explicit SourceStateFile(std::string path)
      : SourceStateFile(StateMedium::file(std::move(path))) {}
  explicit SourceStateFile(StateMedium medium);

  // As loaded or last stored; nothing before the first store.
  const std::optional<SourceState>& state() const noexcept { return state_; }

  // Durable when it returns 0; otherwise an errno, which is final. Equal states are not written.
  [[nodiscard]] int store(const SourceState& state);

  std::uint64_t stores() const noexcept { return stores_; }
  const std::string& path() const noexcept { return medium_.path; }

 private:
  StateMedium medium_;
  int error_ = 0;
  std::optional<SourceState> state_;
  std::uint64_t stores_ = 0;
};

}  // namespace binlane

// SourceState: what a source's binlaned must still know after a restart, and its form on disk.
//
// `quorum` is where the dump connection is registered again (safety rule S3: registration counts as
// an ACK), so it may be older than the truth but never newer: store it only after the gate has
// reached it. `counters` are the server's as last looked at, so that releases by the server while
// binlaned was away are noticed (S8). The source's control thread owns it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "control/stream_anchor.h"
#include "dataplane/source_handshake.h"
#include "shim/binlog_event.h"
#include "storage/durable_record.h"

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
  // What the server released by itself up to here is in the ledger. It is behind `quorum`: until
  // the server was looked at, nobody knows.
  Position looked;
  ServerCounters counters;  // of that server run, when it was looked at
  // What the server released by itself behind `looked` is not in the ledger yet: the server was
  // restarted and nobody has got to it, or the ledger could not be written.
  bool unaccounted = false;
  // Commits have waited for a quorum in this stream, or were about to: written before the server is
  // switched ON for the first time. Until then it can have been told of other binlogs only (S16).
  bool promised = false;
  // What was safe when each incarnation began, oldest first, so that a replica that was away
  // meanwhile is held to what it must share, and to no more (S5). See remember_safe_mark().
  std::vector<SafeMark> safe_marks;
  // Proves after a restart that the binlogs are this stream still: at or before `synced`.
  StreamAnchor anchor;

  bool operator==(const SourceState&) const = default;
};

// Of the stream: its first event.
inline Position beginning_of(const SourceState& state) noexcept {
  return {state.stream_start.file, kBinlogMagicSize};
}

inline constexpr std::size_t kMaxStateBasenameLength = 512;
inline constexpr std::size_t kMaxServerRunLength = 256;
inline constexpr std::size_t kMaxSafeMarks = 64;

// Adds what is safe as `epoch` begins. Incarnations with the same mark share an entry. Of too many
// the oldest are forgotten: a log that old is then held to more than it need share, and may be
// refused though it could be cut, never the other way round.
void remember_safe_mark(std::vector<SafeMark>& marks, const SafeMark& mark);

// Where to register with the server for this incarnation: registering is an ACK of everything
// before, so never beyond what a quorum is known to have had (safety rule S3). What an earlier run
// of the server wrote, nobody waits for.
Position registration_position(const SourceState& state) noexcept;

// The record's payload. Asserts the lengths above.
std::vector<std::byte> encode_source_state(const SourceState& state);

// Nothing when the bytes are not such a payload: another version, a wrong length, trailing bytes.
std::optional<SourceState> decode_source_state(ConstBytes bytes);

// The state in its file (two slots, the newer valid one counts).
class SourceStateFile {
 public:
  // Opens or creates the file. Throws StartupError for damage or another version.
  explicit SourceStateFile(std::string path);

  // As loaded or last stored; nothing before the first store.
  const std::optional<SourceState>& state() const noexcept { return state_; }

  // Durable when it returns 0; otherwise an errno, which is final. Equal states are not written.
  [[nodiscard]] int store(const SourceState& state);

  std::uint64_t stores() const noexcept { return stores_; }

 private:
  DurableRecord record_;
  std::optional<SourceState> state_;
  std::uint64_t stores_ = 0;
};

}  // namespace binlane

// Verdict: the answer to "the client got an error, but did the transaction survive?" (safety rule
// S5). Pure: what the marks and files say comes in, the verdict and its evidence go out.
//
// DURABLE is said only of what a quorum holds *and* the source has synced, or of what lies below
// the seal of a promotion. ABSENT only where the log that decides cannot hold it any more or never
// did. Everything else is IN-DOUBT, with what is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "control/exposure.h"
#include "control/host_role.h"

namespace binlane {

enum class VerdictKind : std::uint8_t { durable, absent, in_doubt };
const char* to_string(VerdictKind kind) noexcept;

// What is known about one transaction on one host.
struct VerdictFacts {
  HostRole role = HostRole::standby;
  std::string what;  // as it was asked
  // Where it was found: in the log of the stream of today …
  std::optional<Position> end;  // behind its last event
  // … or in a stream that was sealed, on this host.
  std::string sealed_stream;  // empty: in none
  // It is in no file here, and they reach back far enough to say so.
  bool not_here = false;
  std::string problem;  // why the files could not tell; empty otherwise

  // Of the stream of today, or of the one this host was the source of.
  Position synced;    // on the source's stable storage
  Position quorum;    // a quorum has it (source's host)
  Position released;  // min(synced, quorum), or synced while degraded (replica's host)
  Position durable;   // on this host's stable storage (replica's host)
  std::string rule;
  // What is known here of the stream's exposures.
  std::vector<Exposure> exposures;
  bool diverged = false;         // this replica holds what a later term does not
  bool alone_is_quorum = false;  // this replica alone satisfies every rule on record
  bool live = false;             // the marks are of now, and the log's end is
  // A fenced source: where its stream was sealed, if that is known, and whether its binlog is the
  // same up to there.
  std::optional<Position> sealed_at;
  bool same_as_sealed = false;
};

struct Verdict {
  VerdictKind kind = VerdictKind::in_doubt;
  std::vector<std::string> evidence;
};

Verdict judge_transaction(const VerdictFacts& facts);

}  // namespace binlane

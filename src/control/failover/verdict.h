// Verdict: the answer to "the client got an error, but did the transaction survive?" [S5] Pure: it
// gets what the marks and the files say, and returns the verdict with its evidence.
//
// DURABLE is said only of a transaction that a quorum holds *and* the source has synced, or that is
// below the seal of a promotion. ABSENT is said only if the log that decides cannot contain it any
// more, or never did. Everything else is IN-DOUBT, with what is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "control/exposure/exposure.h"
#include "control/failover/host_role.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

enum class VerdictKind : std::uint8_t { durable, absent, in_doubt };
const char* to_string(VerdictKind kind) noexcept;

// A stream that a host knows.
struct KnownStream {
  StreamIdentity stream;
  // Where a promotion ended it for good. Nothing: it is the stream that the host's marks belong to.
  std::optional<Position> sealed_at;
};

// The stream that a position was asked of: only a stream and a position together name bytes.
struct StreamChoice {
  std::optional<KnownStream> stream;
  std::string problem;  // why there is none
};
// `known`: the streams that the host knows. `term`: the one that the operator named; without it
// there must have been one stream only. `heard_of`: the latest term that the host has heard of.
StreamChoice stream_of_position(const std::vector<KnownStream>& known,
                                std::optional<std::uint32_t> term, std::uint32_t heard_of);

// What is known about one transaction on one host.
struct VerdictFacts {
  HostRole role = HostRole::standby;
  std::string what;  // the transaction, in the operator's words
  // The stream that the answer speaks of. Nothing: no stream that is known here.
  std::optional<KnownStream> stream;
  // Where the transaction ends in that stream: after its last event.
  std::optional<Position> end;
  std::string gtid;    // of the transaction that ends there, for people; empty: unknown
  Position begins_at;  // where the stream begins in this host's own binlogs; null: with the first
  // No file here contains it, and the files reach back far enough to prove that.
  bool not_here = false;
  std::string problem;  // why the files do not answer the question; empty if they do

  // Marks of the present stream, or of the stream of which this host was the source.
  Position synced;    // on the source's stable storage
  Position quorum;    // a quorum has it (source's host)
  Position released;  // min(synced, quorum), or synced while degraded (replica's host)
  Position durable;   // on this host's stable storage (replica's host)
  std::string rule;
  // What this host knows of the stream's exposures.
  std::vector<Exposure> exposures;
  bool diverged = false;         // this replica holds what a later term does not
  bool alone_is_quorum = false;  // this replica alone satisfies every rule on record
  bool live = false;             // the marks are current, and so is the log's end
  // For a fenced source: where its stream was sealed, if that is known, and whether its binlog is
  // the same up to there.
  std::optional<Position> sealed_at;
  bool same_as_sealed = false;
};

struct Verdict {
  VerdictKind kind = VerdictKind::in_doubt;
  std::vector<std::string> evidence;
};

Verdict judge_transaction(const VerdictFacts& facts);

}  // namespace binlane

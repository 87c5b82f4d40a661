// The wire format of Binlane: UDP datagrams between a source's daemon and a replica's
// (docs/PROTOCOL.md).
//
// Every datagram is a Header followed by one body. Numbers are little endian. Marks and stream
// offsets are linear: inside a session one u64 counts the stream's bytes from the session's origin
// (the replica's released position); the end of a binlog file takes one unit of its own. {file,
// offset} appears in DATA and HELLO only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binlane/little_endian.h"

namespace binlane::wire {

inline constexpr std::uint32_t kMagic = 0x314e4c42;  // "BLN1"
inline constexpr std::uint8_t kVersion = 1;

enum class Type : std::uint8_t {
  hello = 1,
  hello_ack = 2,
  data = 3,
  ack = 4,
  // 5 is reserved: it was the type of a frame that no version has sent.
  exposed = 6,
  exposed_ack = 7
};

enum Flags : std::uint16_t {
  kFlagAckNow = 1 << 0,   // answer at once, whatever this frame brings
  kFlagCatchUp = 1 << 1,  // the sender is far from the end of the binlog; the receiver counts it
  kFlagProbe = 1 << 2,    // a tail-loss probe; the receiver counts it
  kFlagFileEnd = 1 << 3,  // the payload is a FileEndPayload; the frame covers one unit
};

struct WireEpoch {
  le32 term;
  le32 incarnation;
};

struct WirePosition {
  le32 file;
  le64 offset;
};

struct Header {
  le32 magic;
  std::uint8_t version = kVersion;
  std::uint8_t type = 0;
  le16 flags;
  le64 session_id;  // random, chosen by the source at START; 0 in HELLO phases before it
  WireEpoch epoch;
  le64 packet_number;  // per session and direction, from 1, never repeated (also the nonce of an
                       // AEAD)
  le32 reserved;       // 0; a receiver ignores it
  le16 body_length;
  std::uint8_t key_id = 0;  // 0: no key, `integrity` is a CRC32C
  std::uint8_t zero = 0;
  le32 integrity;                        // CRC32C over header (this field zero) and body
  std::uint8_t integrity_rest[12] = {};  // room of an AEAD tag; zero
};
static_assert(sizeof(Header) == 56);
static_assert(offsetof(Header, session_id) == 8 && offsetof(Header, epoch) == 16);
static_assert(offsetof(Header, packet_number) == 24 && offsetof(Header, reserved) == 32);
static_assert(offsetof(Header, body_length) == 36 && offsetof(Header, key_id) == 38);
static_assert(offsetof(Header, integrity) == 40);

// Source to replica. An empty payload carries the marks alone: keepalive, or a mark that moved
// while idle.
struct DataBody {
  le64 stream_offset;  // of the first payload byte
  le64 file_offset;
  le32 file_number;
  // The oldest binlog file that some replica in a session does not hold whole on stable storage: an
  // archive keeps it. 0: the source does not say.
  le32 peers_need;
  le64 synced;    // the source's binlog is on its own stable storage up to here
  le64 released;  // the replica may hand its server what it has durable up to here
};
static_assert(sizeof(DataBody) == 40);

struct FileEndPayload {
  le64 final_size;
  le64 last_group_end;
  std::uint8_t flags_byte = 0;  // byte 21 of the ended file
  std::uint8_t zero[7] = {};
};
static_assert(sizeof(FileEndPayload) == 24);

inline constexpr std::size_t kBitmapBits = 256;

enum AckState : std::uint16_t {
  kStateJournalFailed = 1 << 0,  // a write failed: nothing more will become durable
  kStateDamaged =
      1 << 1,  // repairing bytes that were acknowledged once: not to be counted as inspected
  kStateLearner =
      1 << 2,  // a journal that began anew and has not caught up: not to be counted as inspected
  kStateAppliedKnown =
      1 << 3,  // its server has executed all before the session: `applied` counts, even at 0
};

// Replica to source. Cumulative and idempotent.
struct AckBody {
  le64 received;       // all bytes before it have arrived
  le64 durable;        // all bytes before it survive a power cut
  le64 applied;        // all bytes before it were executed by the replica's server; 0 while unknown
  le64 released_seen;  // the newest released mark this replica has
  le64 window_end;     // the source may send up to here; absolute, never shrinks
  le64 largest_packet;                        // the largest packet number seen
  std::uint8_t bitmap[kBitmapBits / 8] = {};  // bit i: packet (largest_packet - i) has arrived
  le32 ack_delay_ns;                          // from the arrival of largest_packet to this ACK
  le32 queue_ns;                              // newest journal batch: from arrival to submission
  le32 disk_ns;                               // newest journal batch: from submission to completion
  le16 state;
  le16 zero;
};
static_assert(sizeof(AckBody) == 96);

// HELLO is sent at the full size of a frame with DF set: its arrival proves the path's MTU.
enum class Phase : std::uint8_t {
  ask = 1,      // who are you, and what do you hold?
  compare = 2,  // digests of [compare_from, compare_to), please
  start = 3,    // cut back to cut_to if given, and begin session_id
  refuse = 4,   // the logs do not match; reason says why (for the replica's own log)
  lend = 5,     // a candidate that holds less: be my source for what you hold, in this term
};

inline constexpr std::uint64_t kNoCut = ~std::uint64_t{0};
inline constexpr std::size_t kNameSize = 32;
inline constexpr std::size_t kBasenameSize = 128;
inline constexpr std::size_t kReasonSize = 192;
inline constexpr std::size_t kDigests = 128;
// A quorum rule's text with its NUL, and the room for all rules that a replica has on record, one a
// line.
inline constexpr std::size_t kRuleSize = 256;
inline constexpr std::size_t kRulesSize = 448;

enum HelloFlags : std::uint32_t {
  // A candidate asks: promise yourself to it before you answer, and serve no older term any more.
  kHelloFence = 1 << 0,
  // No other rule than `rule` can have had anything acknowledged that it does not cover itself.
  kHelloRuleAlone = 1 << 1,
  // A candidate looks before it fences: answer what you hold and what you would say to its FENCE.
  // Nothing changes by it: no promise is given, and the session that runs goes on.
  kHelloLook = 1 << 2,
};

struct HelloBody {
  std::uint8_t phase = 0;
  std::uint8_t version_min = kVersion;
  std::uint8_t version_max = kVersion;
  std::uint8_t zero = 0;
  le32 flags;         // HelloFlags
  le64 handshake_id;  // random per attempt; replies echo it
  le64 cluster_id;
  std::uint8_t origin[16] = {};     // identity of the stream, with stream_term
  std::uint8_t candidate[16] = {};  // who asks for the term of the header's epoch
  le32 stream_term;                 // in which the stream began; at most the epoch's term
  // Behind a promotion: the stream before this one, and where it ended for good. Null otherwise.
  le32 sealed_term;
  std::uint8_t sealed_origin[16] = {};
  WirePosition sealed_at;
  le32 sealed_digest;  // of the file that it ended in, from its first byte
  char source_name[kNameSize] = {};
  char replica_name[kNameSize] = {};  // whom the source means to reach
  char basename[kBasenameSize] = {};  // of the source's binlog files
  WirePosition first;                 // oldest byte the source still has
  WirePosition written;
  le64 rule_number;  // of the quorum rule in force
  // Of an answer that the replica gave this source. START: of the answer to ASK that it builds on.
  // ASK: of the last answer, 0 while there was none. Nothing durable follows from a HELLO that
  // names no answer of the replica's process: whoever forges an address does not see the answers.
  le64 answer_id;
  le64 compare_from;  // linear, relative to the replica's released position
  le64 compare_to;
  WirePosition start_at;      // START: where the session's linear 0 stands
  le64 cut_to;                // START: linear, or kNoCut
  char rule[kRuleSize] = {};  // the quorum rule in force, over replicas' names
  char reason[kReasonSize] = {};
};

enum HelloAckFlags : std::uint32_t {
  // More rules are on record than fit: nothing can be proven with this replica.
  kAckRulesCutShort = 1 << 0,
  // Refused only because the HELLO named no answer of this process: repeat it with this answer_id.
  kAckNotBound = 1 << 1,
  // The answer to a look (kHelloLook): no digests, and more may arrive at any moment.
  kAckLook = 1 << 2,
  // In the answer to a look: a source lives. This host is one, or heard one within kSourceHeardNs
  // (dataplane/session/session_limits.h); `reason` of an answer that is no refusal names it.
  kAckSourceAlive = 1 << 3,
};

enum class HelloStatus : std::uint8_t {
  ok = 0,
  refused = 1,
  started = 2,  // answer to START: the session runs, marks below are true
};

struct HelloAckBody {
  std::uint8_t phase = 0;  // of the HELLO this answers
  std::uint8_t status = 0;
  le16 state;  // AckState bits
  le32 flags;  // HelloAckFlags
  le64 handshake_id;
  // Random for each ASK that is answered or refused. Whatever changes something durable has to name
  // it: a START, so that no START of another time, which the network kept, begins a session; a
  // FENCE, and whoever names the stream before his own, so that no forged address is believed.
  le64 answer_id;
  le64 cluster_id;
  std::uint8_t origin[16] = {};      // stream held; zero while the journal is blank
  le32 stream_term;                  // of that stream
  std::uint8_t journal_id[16] = {};  // identity of this replica
  char replica_name[kNameSize] = {};
  WireEpoch log_epoch;                // of the last byte held
  WireEpoch promised;                 // {term, 0}: no older term is served
  std::uint8_t promised_to[16] = {};  // the candidate of that term
  WirePosition released;
  WirePosition durable;
  le64 log_length;   // linear, from released to the end of the log; STARTED: all of it is durable
  le64 window_end;   // STARTED only
  le64 digest_from;  // linear; digests cover [from, to) in chunks of digest_chunk, the last may be
                     // short
  le64 digest_to;
  le64 digest_chunk;
  le32 digest_count;
  le32 below_digest;  // digest of the below_length archived bytes before below_end,
  le64 below_length;  // all in one file; 0: nothing archived yet
  WirePosition below_end;
  le32 digests[kDigests];
  char rules[kRulesSize] = {};  // quorum rules on record, one a line
  char reason[kReasonSize] = {};
};

// Source to replica: what was released without a quorum (safety rules S8, S10). Repeated until it
// is acknowledged; the same again does no harm.
enum ExposedFlags : std::uint32_t {
  kExposedOpen = 1 << 0,  // the interval has no end yet; `to` is zero
};

struct ExposedEntry {
  le64 id;  // in the source's ledger
  WireEpoch epoch;
  WirePosition from;
  WirePosition to;
  le64 groups;  // event groups in it, once closed
  le32 flags;   // ExposedFlags
};
static_assert(sizeof(ExposedEntry) == 52);

inline constexpr std::size_t kExposedEntries = 24;

struct ExposedBody {
  std::uint8_t origin[16] = {};  // of the stream that the positions are of
  le32 stream_term;
  le32 count;   // of entries
  le64 number;  // of this list; the answer names it
  le64 total;   // intervals ever opened in that ledger: older ones are not listed
  ExposedEntry entries[kExposedEntries];
};
static_assert(sizeof(ExposedBody) == 40 + kExposedEntries * sizeof(ExposedEntry));

// Replica to source: the list of that number is on stable storage here.
struct ExposedAckBody {
  le64 number;
};

// Ethernet's usual 1500 less IPv4 (20) and UDP (8) headers.
inline constexpr std::size_t kMinMaxPayload = 1500 - 28;
inline constexpr std::size_t kDataOverhead = sizeof(Header) + sizeof(DataBody);
inline constexpr std::size_t kMinDataPayload = kMinMaxPayload - kDataOverhead;
static_assert(kMinDataPayload == 1376);
static_assert(sizeof(Header) + sizeof(HelloBody) <= kMinMaxPayload);
static_assert(sizeof(Header) + sizeof(HelloAckBody) <= kMinMaxPayload);
static_assert(sizeof(Header) + sizeof(ExposedBody) <= kMinMaxPayload);

}  // namespace binlane::wire

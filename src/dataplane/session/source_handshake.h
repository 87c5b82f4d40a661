// SourceHandshake: how a source and one replica agree on a session. No I/O of its own, no clock;
// the source's control thread owns it.
//
// The replica's log above its released position must be a prefix of the source's binlog, byte for
// byte. The source asks for digests of it, narrows the first difference down to one byte, and
// begins the session with a cut at exactly that byte. What is cut was never released, and never
// covered by both `synced` and a quorum. A difference below released is refused, and both ends say
// why. [S5, S6]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/offset.h"
#include "base/position.h"
#include "base/uuid.h"
#include "dataplane/session/hello.h"

namespace binlane {

// What a handshake needs of the source's binlog. Linear offsets are the stream map's.
class SourceLogView {
 public:
  virtual ~SourceLogView() = default;
  virtual Position first() const = 0;
  virtual std::uint64_t written() const = 0;
  // Nothing if the position is not in the stream (purged, or beyond its end).
  virtual std::optional<std::uint64_t> linear_of(const Position& position) const = 0;
  virtual Position position_of(std::uint64_t linear) const = 0;
  // Digest (base/stream_digest.h) of [from, to); nothing if it cannot be read.
  virtual std::optional<std::uint32_t> digest(std::uint64_t from, std::uint64_t to) const = 0;
  // Digest of `length` bytes of one file that end at `end`.
  virtual std::optional<std::uint32_t> digest_below(const Position& end,
                                                    std::uint64_t length) const = 0;
};

// min(synced, quorum) when `epoch` began. A log of an older epoch may hold bytes that its source
// lost before; it must share with the source what was safe by then.
struct SafeMark {
  Epoch epoch;
  Position safe;

  bool operator==(const SafeMark&) const = default;
};

// Pace of unanswered HELLOs, and how long one attempt may take before it begins anew.
inline constexpr std::uint64_t kHelloRepeatNs = 100'000'000;
inline constexpr std::uint64_t kHelloAttemptNs = 5'000'000'000;
// A refused replica is asked again at this pace, because its operator may have repaired it.
inline constexpr std::uint64_t kRefusedRepeatNs = 1'000'000'000;
// 128 digests a round: 2^63 bytes narrow down to one in nine rounds.
inline constexpr std::uint32_t kMaxCompareRounds = 10;

class SourceHandshake {
 public:
  struct Identity {
    std::uint64_t cluster_id = 0;
    Uuid origin;
    Epoch epoch;
    std::string source_name;
    std::string replica_name;
    std::string basename;
    std::uint64_t rule_number = 0;
    std::string rule;         // its text
    bool rule_alone = false;  // older rules are covered by it, and may be forgotten
    // The term in which the stream began, and the host that asks for the epoch's term. Different
    // from origin only while a promotion seals another source's stream.
    std::uint32_t stream_term = 0;
    Uuid candidate;
    // The stream before this one, and where it ended. Null for a first stream.
    Uuid sealed_origin;
    std::uint32_t sealed_term = 0;
    Position sealed_at;
    std::uint32_t sealed_digest = 0;
    // Fence the replica, compare its log with ours, and stop there: a promotion begins with this.
    bool inspect = false;
    // Only look at it, again and again, and change nothing: this comes before a promotion.
    bool look = false;
    // Ask it, again and again, to be a source itself for what it holds (LogDonor).
    bool borrow = false;
  };
  // How a replica's log relates to ours, byte by byte.
  enum class Match : std::uint8_t {
    same,
    prefix,        // we hold all it has, and more
    longer,        // it holds all we have, and more
    differs,       // both continue differently after `common`
    other_stream,  // it holds another stream, or none
  };
  // What an inspected replica holds.
  struct Inspection {
    Match match = Match::same;
    Position common;  // where the logs differ, or the shorter one ends
    Uuid journal_id;
    Uuid origin;  // of the stream it holds; null: none
    std::uint32_t stream_term = 0;
    Epoch log_epoch;          // of its last session
    Position end;             // everything before is durable there
    Position released;        // and it was told that this much is safe
    std::uint16_t state = 0;  // wire::AckState
    std::string rules;        // on record there, one a line
    bool rules_cut_short = false;
  };
  // The result of the last look.
  struct Look {
    bool refused = false;  // refusal() says why
    bool source_alive = false;
    std::string source;  // that the replica hears; empty: none, or it did not say
    Inspection found;    // `match` and `common` are not told; nothing is if it was refused
  };
  // What the handshake ends with.
  struct Session {
    std::uint64_t session_id = 0;
    std::uint64_t origin = 0;  // stream map's linear offset of the session's 0
    SessionOffset durable;
    SessionOffset window_end;
    std::uint16_t state = 0;  // wire::AckState
    Uuid journal_id;
    Endpoint peer;
    std::uint64_t cut = 0;  // bytes that were cut
  };

  // `safe`: no byte below it may be cut: min(synced, quorum) when this incarnation began.
  // `earlier`: the same of earlier incarnations, oldest first, so that a replica which missed some
  // of them is not held to what became safe without it. If there is none of them, it is held to
  // that.
  SourceHandshake(Identity identity, const SourceLogView& proof, Position safe,
                  std::vector<SafeMark> earlier = {});

  // No HELLO before then.
  void hold_until(std::uint64_t now_ns) noexcept { next_send_ns_ = now_ns; }
  // The next HELLO, when one is due.
  bool poll(std::uint64_t now_ns, HelloMessage& message);
  // The frame is a HELLO_ACK that answers the last question.
  bool expects(const FrameView& frame) const;
  // A HELLO_ACK of this replica. Returns false (ignored) if it answers nothing that we asked.
  bool on_reply(const FrameView& frame, const Endpoint& peer, std::uint64_t now_ns);

  // Set once the replica has started the session; the handshake is then over.
  const std::optional<Session>& session() const noexcept { return session_; }
  // Set once the replica was inspected, if that was asked for. The handshake is then over.
  const std::optional<Inspection>& inspection() const noexcept { return inspection_; }
  // The result of the last look, and how many looks had one; only if looks were asked for.
  const std::optional<Look>& look() const noexcept { return look_; }
  std::uint64_t looks() const noexcept { return looks_; }
  // Why there is no session; empty while nothing is wrong.
  const std::string& refusal() const noexcept { return refusal_; }
  // The largest term that this replica has told us that it promised.
  std::uint32_t promised_term() const noexcept { return promised_.term; }
  // It has promised itself to a later term: we are not its source any more, and never will be again
  // by ourselves. [S1]
  bool deposed() const noexcept { return deposed_; }

 private:
  void begin_attempt(std::uint64_t now_ns);
  void take_answer(const wire::HelloAckBody& reply, std::uint64_t now_ns);
  void compare(const wire::HelloAckBody& reply, std::uint64_t now_ns);
  void finish_compare(std::uint64_t cut_to, bool longer, std::uint64_t now_ns);
  void ask_to_start(std::uint64_t cut_to, std::uint64_t now_ns);
  void inspected(const wire::HelloAckBody& reply, Match match, const Position& common);
  void looked(const wire::HelloAckBody& reply, std::uint64_t now_ns);
  bool take_inspection(const wire::HelloAckBody& reply);
  void note_promise(const wire::HelloAckBody& reply);
  void refuse(std::string reason, std::uint64_t now_ns);
  // What a log whose last session was of `log_epoch` must share.
  Position safe_for(Epoch log_epoch) const noexcept;

  Identity identity_;
  const SourceLogView& proof_;
  Position safe_;
  std::vector<SafeMark> earlier_;
  Epoch log_epoch_;  // the replica's
  wire::Phase phase_ = wire::Phase::ask;
  std::uint64_t handshake_id_ = 0;
  std::uint64_t session_id_ = 0;
  std::uint64_t answer_id_ = 0;  // of the answer to our ASK
  std::uint64_t heard_id_ = 0;   // of the last answer or refusal, of whatever attempt
  std::uint64_t bound_ns_ = 0;   // when a HELLO was repeated at once because it named none
  std::uint64_t attempt_ns_ = 0;
  std::uint64_t next_send_ns_ = 0;
  std::uint32_t rounds_ = 0;
  // The replica's log as it answered: origin in the stream map, and its length above released.
  Position start_at_;
  std::uint64_t origin_ = 0;
  std::uint64_t log_length_ = 0;
  std::uint64_t compare_from_ = 0;
  std::uint64_t compare_to_ = 0;
  std::uint64_t cut_to_ = wire::kNoCut;
  bool refused_by_us_ = false;
  bool deposed_ = false;
  Epoch promised_;
  wire::HelloAckBody asked_;  // the answer to the ASK, while inspecting
  std::optional<Inspection> inspection_;
  std::optional<Look> look_;
  std::uint64_t looks_ = 0;
  std::string refusal_;
  std::optional<Session> session_;
};

}  // namespace binlane

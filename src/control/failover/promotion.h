// Promotion: decides whether a replica may become the source without losing what was acknowledged,
// and says why. [S1, S2, S4, S9, S14] No I/O, no clock; the control thread of the candidate owns
// it.
//
// It is given what the candidate itself holds, and what each peer answered *after* it was fenced:
// the peer has stored the promise {term, candidate}, has ended the older source's session, and its
// writes in flight have ended, so that nothing the old source does can change its log any more.
// Only a fenced peer can be counted.
//
// Logs of one stream are compared by content, not by length alone, and not by epoch alone. While a
// source lives, all logs are prefixes of its binlog; a log of which another one is a prefix holds
// everything that the other holds. Logs can differ only in what a source lost in a crash before it
// had synced it. Then the log whose last session was of the later epoch was matched with the file
// that survived: what the other one holds instead was never acknowledged. (The epoch in which the
// last byte was *received* would mislead: a replica that lags, but had a session after the source's
// last restart, would win against one that has everything and had no such session.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "control/config/promotion_rule.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

// The last term that can be asked for.
inline constexpr std::uint32_t kMaxTerm = UINT32_MAX - 1;

// The stream that a log belongs to.
struct PromotionStream {
  Uuid origin;  // null: none yet, the journal is blank
  std::uint32_t term = 0;

  bool operator==(const PromotionStream&) const = default;
};

// How a peer's log relates to the candidate's, byte by byte.
enum class LogRelation : std::uint8_t {
  same,
  prefix,   // the candidate has everything that it has
  longer,   // it has everything that the candidate has, and more
  differs,  // both continue differently after a common beginning
};

// What is known of one fenced log.
struct PromotionLog {
  std::string name;
  Uuid journal_id;
  PromotionStream stream;
  Epoch epoch;           // of the log's last session with a source
  Position end;          // after the last durable byte
  Position released;     // up to here its source has said that everything is safe
  bool damaged = false;  // it lost bytes that it had acknowledged
  bool learner = false;  // its journal began anew, and has not yet caught up with what existed then
  std::vector<PromotionRule> rules;  // on record at that host
};

struct PromotionAnswer {
  PromotionLog log;
  LogRelation relation = LogRelation::same;  // to the candidate's log; of the same stream only
  Position common;                           // where the two logs differ, or the shorter one ends
};

enum class PromotionVerdict : std::uint8_t {
  open,    // too few have answered; more may
  proven,  // no acknowledged byte can be anywhere but in the candidate's log
  // The same, except for what better_candidate() holds and the candidate lacks. The candidate has
  // to fetch that first, and to ask for a later term with it. [S1] It fetches only after every rule
  // is fenced, because what it fetches bears the epoch of this term, and so wins against any log
  // that turns up later.
  lesser,
  refused,  // see reason()
};

class Promotion {
 public:
  // `peers`: the names of the hosts that the candidate will ask. `whole_groups`: the end of the
  // last whole event group in the candidate's log.
  Promotion(PromotionLog candidate, Position whole_groups, std::vector<std::string> peers);

  // The term to ask for: one more than the largest promise known. Nothing if there is none left.
  static std::optional<std::uint32_t> next_term(std::uint32_t own_promise,
                                                std::uint32_t largest_seen) noexcept;

  // A fenced peer's answer; a later answer of the same peer replaces it. Returns false for a
  // stranger.
  bool on_answer(const PromotionAnswer& answer);
  // The peer refuses this candidacy, and says why. Its earlier answer, if there was one, no longer
  // counts, because it promised itself to another candidate.
  bool on_refusal(const std::string& name, const std::string& reason);
  // No other peer will answer, so what is missing leads to a refusal now.
  void close() noexcept { closed_ = true; }

  PromotionVerdict verdict() const { return judgement().verdict; }
  // Why it was refused; for `open`, what is still missing.
  std::string reason() const { return judgement().reason; }
  // The host that should be promoted instead, or serve its log; empty if no better one is known.
  std::string better_candidate() const { return judgement().better; }
  // Where that host's log ends.
  Position better_end() const;
  // Every peer has answered or refused.
  bool complete() const noexcept;
  // Only when proven: where the old stream ends for good, the end of the last whole event group in
  // the winning log. Exception: if anybody was told that a part of a group is released which the
  // source never finished, or may have been told so and was not inspected, the end of that part,
  // because nothing released is ever cut [S5]. Nobody is fed half a group all the same.
  Position sealed_at() const;
  // The proof in lines, for operators and for the log.
  std::vector<std::string> proof() const;

 private:
  struct Peer {
    std::string name;
    std::optional<PromotionAnswer> answer;
    std::string refusal;
  };
  struct Judgement {
    PromotionVerdict verdict = PromotionVerdict::open;
    std::string reason;
    std::string better;
    bool can_be_fetched = false;  // what the better one holds can be fetched, because it is of the
                                  // candidate's own stream
  };

  Judgement judgement() const;
  // Why this log does not count as inspected; empty if it does.
  std::string not_inspected(const PromotionLog& log, std::size_t before) const;
  std::vector<const PromotionLog*> inspected() const;
  std::vector<PromotionRule> rules() const;
  std::optional<Judgement> judge_logs() const;
  std::optional<Judgement> judge_rules() const;
  Position released_unseen() const;

  PromotionLog candidate_;
  Position whole_groups_;
  std::vector<Peer> peers_;
  bool closed_ = false;
};

// --- the steps from a proof to a new source ----------------------------------------------------

// How far a promotion has come. A step is on record before the next one begins, so a candidate that
// was killed continues where it was. The numbers are those of the record.
enum class PromotionStep : std::uint8_t {
  none = 0,
  fencing = 1,   // the promises are being collected; nothing is decided
  sealed = 2,    // proven: the old stream ends at the seal, and peers copy it up to there
  released = 3,  // the new rule covers the seal in the new term: the tail goes to the local server
  executed = 4,  // the local server has executed the tail, and follows no source any more
  active = 5,    // the new stream has begun; this host is the source
};
inline constexpr std::uint8_t kPromotionSteps = 6;

const char* to_string(PromotionStep step) noexcept;

// What a candidate does when it is restarted.
enum class PromotionResume : std::uint8_t {
  nothing,  // there is no promotion
  give_up,  // nothing was decided: the operator has to ask again, in a new term
  go_on,    // the proof holds
};
PromotionResume resume_of(PromotionStep step) noexcept;

// Whether one step may follow another.
bool may_follow(PromotionStep from, PromotionStep to) noexcept;

}  // namespace binlane

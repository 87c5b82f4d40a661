// Promotion: decides whether a replica may become the source without losing what was acknowledged,
// and says why (safety rules S1, S2, S4, S9, S14). No I/O, no clock; the control thread of the
// candidate owns it.
//
// It is told what the candidate itself holds and what each peer answered *after* it was fenced: it
// has stored the promise {term, candidate}, has ended the older source's session, and its writes in
// flight are settled, so that nothing the old source does can change its log any more. Whoever
// wants to be counted must be fenced first.
//
// Logs of one stream are compared by content, not by length alone, and not by epoch alone. While a
// source lives, all logs are prefixes of its binlog; a log that another one is a prefix of holds
// all that the other holds. Only what a source lost in a crash before it had synced it can differ,
// and then the log whose last session was of the later epoch was matched with the file that
// survived: what the other one holds instead was never acknowledged. (The epoch in which the last
// byte was *received* would mislead: a replica that lags, but had a session after the source's last
// restart, would beat one that has everything and had not.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "control/promotion_rule.h"
#include "dataplane/quorum_rule.h"

namespace binlane {

// The last term that can be asked for.
inline constexpr std::uint32_t kMaxTerm = UINT32_MAX - 1;

// Which stream somebody's log is of.
struct PromotionStream {
  Uuid origin;  // null: none yet, the journal is blank
  std::uint32_t term = 0;

  bool operator==(const PromotionStream&) const = default;
};

// How a peer's log stands to the candidate's, byte by byte.
enum class LogRelation : std::uint8_t {
  same,
  prefix,   // all it has, the candidate has as well
  longer,   // it has all that the candidate has, and more
  differs,  // both go on differently behind a common beginning
};

// What is known of one fenced log.
struct PromotionLog {
  std::string name;
  Uuid journal_id;
  PromotionStream stream;
  Epoch epoch;           // of the last session with a source
  Position end;          // behind the last durable byte
  Position released;     // below which its source said that everything is safe
  bool damaged = false;  // it lost bytes that it had acknowledged
  bool learner = false;  // its journal began anew, and has not yet caught up with what was there
  std::vector<PromotionRule> rules;  // on record there
};

struct PromotionAnswer {
  PromotionLog log;
  LogRelation relation = LogRelation::same;  // to the candidate's log; of the same stream only
  Position common;                           // where they part, or the shorter one ends
};

enum class PromotionVerdict : std::uint8_t {
  open,    // not enough has answered; more may
  proven,  // no acknowledged byte can be anywhere but in the candidate's log
  // The same, but for what better_candidate() holds beside it: the candidate first has to fetch
  // that (S1), and to ask for a later term with it. Not before every rule is fenced: what is
  // fetched bears the epoch of this term, and so beats whatever else turns up later.
  lesser,
  refused,  // see reason()
};

class Promotion {
 public:
  // `peers`: whom the candidate will ask, by name. `whole_groups`: behind the last whole event
  // group of the candidate's log.
  Promotion(PromotionLog candidate, Position whole_groups, std::vector<std::string> peers);

  // The term to ask for, given all promises known: one more than the largest. Nothing when there is
  // none left.
  static std::optional<std::uint32_t> next_term(std::uint32_t own_promise,
                                                std::uint32_t largest_seen) noexcept;

  // A fenced peer's answer; a later one of the same peer replaces it. False for a stranger.
  bool on_answer(const PromotionAnswer& answer);
  // The peer refuses this candidacy, and says why. Its answer, if there was one, stands no more: it
  // promised itself to somebody else.
  bool on_refusal(const std::string& name, const std::string& reason);
  // Nobody else will answer. What is missing is refused now.
  void close() noexcept { closed_ = true; }

  PromotionVerdict verdict() const { return judgement().verdict; }
  // Why it was refused; for `open`, what is missing still.
  std::string reason() const { return judgement().reason; }
  // Who should be promoted instead, or lend its log; empty when nobody is known to be better.
  std::string better_candidate() const { return judgement().better; }
  // Where the log of that one ends.
  Position better_end() const;
  // Every peer has answered or refused.
  bool complete() const noexcept;
  // Where the old stream ends for good: the last whole event group of the winning log, or behind it
  // what was released, to anybody, of a group that the source never finished: nothing released is
  // ever cut (S5), and half a group is fed to nobody. When proven.
  Position sealed_at() const;
  // The proof, one line each, for people and for the log.
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
    bool can_be_fetched = false;  // what the better one holds, of the candidate's own stream
  };

  Judgement judgement() const;
  // Why this log does not count as inspected; empty when it does.
  std::string not_inspected(const PromotionLog& log, std::size_t before) const;
  std::vector<const PromotionLog*> inspected() const;
  std::vector<PromotionRule> rules() const;
  std::optional<Judgement> judge_logs() const;
  std::optional<Judgement> judge_rules() const;

  PromotionLog candidate_;
  Position whole_groups_;
  std::vector<Peer> peers_;
  bool closed_ = false;
};

// --- the way from a proof to a new source -------------------------------------------------------

// How far a promotion has got. The step stands in a durable record before the next one is begun, so
// that a candidate that was killed goes on where it was; the numbers are the record's.
enum class PromotionStep : std::uint8_t {
  none = 0,
  fencing = 1,   // the promises are being collected; nothing is decided
  sealed = 2,    // proven: the old stream ends at the sealed position, peers are brought there
  released = 3,  // the new rule covers it under the new term: the tail goes to the local server
  executed = 4,  // the local server has executed it, and follows nobody any more
  active = 5,    // the new stream has begun; this host is the source
};
inline constexpr std::uint8_t kPromotionSteps = 6;

const char* to_string(PromotionStep step) noexcept;

// What a candidate that was restarted does.
enum class PromotionResume : std::uint8_t {
  nothing,  // there is no promotion
  give_up,  // nothing was decided: the operator has to ask again, in a new term
  go_on,    // the proof stands
};
PromotionResume resume_of(PromotionStep step) noexcept;

// Whether one step may follow another.
bool may_follow(PromotionStep from, PromotionStep to) noexcept;

}  // namespace binlane

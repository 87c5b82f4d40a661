// PromotionSurvey: what a host finds out before it bids for a term, so that a promotion which
// cannot succeed changes nothing. Pure; the promoter owns it, and its dry run.
//
// It is told what the peers answered to looks (they promised nothing, and went on with their
// sessions), lets the class Promotion judge as if those were fenced logs, and looks out for a
// source that lives: to promote away from it is a planned switchover, which an operator has to ask
// for. What it finds is not true any more a moment later; the promotion itself proves everything
// again, with fenced logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/handshake_desk.h"
#include "control/promotion.h"
#include "dataplane/session_limits.h"

namespace binlane {

// The source that this host's own journal is in a session with.
struct HeardSource {
  std::string name;            // empty: none
  std::uint64_t heard_ns = 0;  // when its last frame came
};

class PromotionSurvey {
 public:
  enum class State : std::uint8_t { asking, refused, clear };

  // How long peers may take, and how long one waits for the others once enough have answered.
  static constexpr std::uint64_t kPatienceNs = 5 * kNanosPerSecond;
  static constexpr std::uint64_t kGraceNs = 300 * kNanosPerMilli;
  // From then on a peer's "a source lives" is about this very moment: what it heard before the
  // survey began is too old to be told.
  static constexpr std::uint64_t kSettleNs = kSourceHeardNs;
  // A source that was heard when the survey began is dead when nothing came until then.
  static constexpr std::uint64_t kAliveNs = 2 * kSourceHeardNs + 2 * kHelloRepeatNs;

  PromotionSurvey(PromotionLog candidate, std::vector<std::string> peers, std::uint64_t now_ns);

  // Every turn.
  void take(const std::vector<HandshakeDesk::ReplicaView>& peers, const HeardSource& heard,
            std::uint64_t now_ns);
  // `from_live_source`: the operator wants that.
  State state(bool from_live_source, std::uint64_t now_ns) const;
  // Why it is refused, or what is still waited for.
  std::string reason(bool from_live_source) const;
  // The source that lives; empty: none is known to.
  const std::string& live_source() const noexcept { return live_; }
  // The largest term that a peer has promised.
  std::uint32_t largest_promise() const noexcept { return largest_promise_; }
  // One line for each peer, and one for the source; for people.
  std::vector<std::string> lines(std::uint64_t now_ns) const;

 private:
  struct Peer {
    std::string name;
    bool answered = false;
    SourceHandshake::Look look;
    std::string refusal;
    std::uint64_t looks = 0;
    std::uint64_t looks_then = 0;  // at kSettleNs
  };

  Promotion promotion() const;
  // Since it began; a turn's time may be from before that.
  std::uint64_t passed_ns(std::uint64_t now_ns) const noexcept {
    return now_ns > begun_ns_ ? now_ns - begun_ns_ : 0;
  }
  bool maybe_alive() const;

  PromotionLog candidate_;
  std::vector<Peer> peers_;
  std::uint64_t begun_ns_;
  bool settled_ = false;
  bool closed_ = false;
  HeardSource heard_;
  std::string live_;
  std::uint32_t largest_promise_ = 0;
};

}  // namespace binlane

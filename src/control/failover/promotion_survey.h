// PromotionSurvey: what a host finds out about its peers before it asks for a term, so that a
// promotion that cannot succeed changes nothing. Pure; PromotionPreflight owns it.
//
// It gets the peers' answers to looks (they have promised nothing, and their sessions continue),
// and has the class Promotion judge as if those were fenced logs. It also watches for a source that
// is alive: a promotion away from that is a planned switchover, which an operator has to permit.
// What it finds may be outdated a moment later; the promotion itself proves everything again, with
// fenced logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/failover/promotion.h"
#include "control/stream/session_manager.h"
#include "dataplane/session/session_limits.h"

namespace binlane {

// The source that this host's journal has a session with.
struct HeardSource {
  std::string name;            // empty: none
  std::uint64_t heard_ns = 0;  // when its last frame arrived
};

class PromotionSurvey {
 public:
  enum class State : std::uint8_t { asking, refused, clear };

  // How long the peers have to answer, and how long the survey waits for the others once enough
  // have.
  static constexpr std::uint64_t kPatienceNs = 5 * kNanosPerSecond;
  static constexpr std::uint64_t kGraceNs = 300 * kNanosPerMilli;
  // After this time a peer's "a source is alive" is about the present: what the peer heard before
  // the survey began is too old to be reported by then.
  static constexpr std::uint64_t kSettleNs = kSourceHeardNs;
  // A source that was heard when the survey began is dead if it is not heard again within this
  // time.
  static constexpr std::uint64_t kAliveNs = 2 * kSourceHeardNs + 2 * kHelloRepeatNs;

  PromotionSurvey(PromotionLog candidate, std::vector<std::string> peers, std::uint64_t now_ns);

  // One turn.
  void take(const std::vector<SessionManager::ReplicaView>& peers, const HeardSource& heard,
            std::uint64_t now_ns);
  // `from_live_source`: the operator permits it although the source is alive.
  State state(bool from_live_source, std::uint64_t now_ns) const;
  // Why the promotion is refused, or what the survey still waits for.
  std::string reason(bool from_live_source) const;
  // The source that is alive, or the peer that says so; empty if none is known to be.
  const std::string& live_source() const noexcept { return live_; }
  // The largest term that any peer has promised.
  std::uint32_t largest_promise() const noexcept { return largest_promise_; }
  // One line for each peer, and one for the source, for operators.
  std::vector<std::string> lines(std::uint64_t now_ns) const;

 private:
  struct Peer {
    std::string name;
    bool answered = false;
    SourceHandshake::Look look;
    std::string refusal;
    std::uint64_t looks = 0;
    std::uint64_t looks_then = 0;  // `looks` at kSettleNs
  };

  Promotion promotion() const;
  // The time since the survey began. 0 for a turn whose time was taken before that.
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

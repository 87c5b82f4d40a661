// I2: an ACK never says more than is true when it is sent: a power cut at that moment would leave
// every byte that the ACK calls durable.

#include <fmt/format.h>

#include "../violation.h"
#include "../world.h"
#include "checks.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kSampledAcks = 24;  // one ACK in this many is checked

}  // namespace

// Session offset 0 is the log's released position when the session begins.
void Checks::note_started(const FrameView& frame, std::size_t replica) {
  const auto body = body_as<wire::HelloAckBody>(frame);
  if (body.status != static_cast<std::uint8_t>(wire::HelloStatus::started)) return;
  const Journal* const journal = world_.replicas()[replica]->journal();
  world_.trace().note("session starts", replica, body.log_length);
  session_origins_.emplace(frame.header.session_id, journal->released_log());
}

void Checks::check_ack(const FrameView& frame, std::size_t replica) {
  const auto body = body_as<wire::AckBody>(frame);
  const std::uint64_t session = frame.header.session_id;
  std::uint64_t& before = session_durable_[session];
  if (body.durable < before)
    fail("I5", fmt::format("{} takes an ACK back: {} after {}", world_.replicas()[replica]->name(),
                           std::uint64_t{body.durable}, before));
  const bool news = body.durable > before;
  before = body.durable;
  const ReplicaHost& host = *world_.replicas()[replica];
  if (!news || host.impaired || !random_.one_in(kSampledAcks)) return;
  const auto origin = session_origins_.find(session);
  if (origin == session_origins_.end()) fail("I2", "an ACK of a session that never began");
  ++counts_.acks;
  const Position durable = host.journal()->position_of(origin->second + body.durable);
  const RecoveredJournal found = host.recover();
  if (!found.refusal.empty() || found.damage || found.start.end < durable)
    fail("I2", fmt::format("{} says that {} is durable, its platter ends at {} {}", host.name(),
                           to_string(durable), to_string(found.start.end), found.refusal));
}

}  // namespace binlane::sim

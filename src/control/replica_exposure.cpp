// ReplicaControl, the part about what was released without a quorum (safety rules S8, S10): puts on
// record what the source tells, and notices when a later term does not hold what this replica's
// server was fed.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "control/replica_control.h"
#include "control/replica_side.h"
#include "shim/binlog_groups.h"
#include "shim/gtid_position.h"

namespace binlane {
namespace {

// Of the groups that the later term lacks so many are named.
constexpr std::size_t kNamedGroups = 20;

std::string diverged_text(const Divergence& divergence) {
  return fmt::format(
      "DIVERGED: term {} sealed the stream at {}, and {} event groups behind that were released "
      "here without a quorum, up to {}; rebuild this replica's server from a copy of another, and "
      "then its journal (binlane rejoin --rebuilt)",
      divergence.term, to_string(divergence.sealed_at), divergence.groups,
      to_string(divergence.reached));
}

}  // namespace

// The record is that of the journal and stream of today.
void ReplicaControl::own_exposures() {
  const JournalMeta meta = file_.meta();
  side_.exposures().set_owner({meta.journal, meta.stream.origin, meta.stream.term});
}

// The lane has checked that it comes from the source of the session that runs.
void ReplicaControl::take_exposures(const HelloMessage& message, const FrameView& frame) {
  const auto list = decode_exposures(body_as<wire::ExposedBody>(frame));
  own_exposures();
  if (!list || !side_.exposures().take(*list)) {
    log::error("exposures_not_recorded",
               "what the source released without a quorum cannot be put on record: this replica is "
               "told of nothing more that no quorum has");
    show_meta();
    return;
  }
  show_meta();
  wire::ExposedAckBody body;
  body.number = list->number;
  FrameTags tags;
  tags.type = wire::Type::exposed_ack;
  tags.epoch = frame.epoch();
  tags.session_id = frame.header.session_id;
  tags.packet_number = frame.header.packet_number;
  HelloMessage answer;
  answer.port = message.port;
  answer.peer = message.peer;
  std::memcpy(answer.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  answer.length = seal(answer.bytes, tags, sizeof body);
  // A full queue loses it as the network might; the source asks again.
  if (!lane_.queues().answers.try_push(answer))
    log::debug("answer_queue_full", "answer dropped: the lane is busy");
}

// A source of a later term speaks, whose stream follows ours behind `sealed_at`. Empty unless this
// replica's server was fed more than that.
std::string ReplicaControl::judge_divergence(const StreamIdentity& stream, Position sealed_at,
                                             const Promise& candidate) {
  own_exposures();
  if (const auto& known = side_.exposures().state().divergence) return diverged_text(*known);
  const Promise promise = file_.promise();
  // Somebody whose term is over says nothing about what counts.
  if (candidate.term < promise.term ||
      (candidate.term == promise.term && candidate.candidate != promise.candidate))
    return {};
  const auto parts = side_.parts();
  const ArchiverStatus archive = parts->archiver->status();
  const Position reached =
      std::max({lane_.queues().marks.load().released, file_.meta().released, archive.end});
  if (reached <= sealed_at) return {};
  if (archive.end < reached)
    return fmt::format("the archive has not got everything yet that was released, up to {}",
                       to_string(reached));
  Divergence found{stream.term, sealed_at, reached, 0};
  std::vector<std::string> named;
  const std::uint32_t last = reached.offset > 0 ? reached.file : reached.file - 1;
  const std::string problem = read_groups(
      {parts->folder, file_.stream().basename}, sealed_at, last, [&](const BinlogGroup& group) {
        ++found.groups;
        if (named.size() < kNamedGroups)
          named.push_back(fmt::format("GTID {} at {} to {}", to_string(group.gtid),
                                      to_string(group.begin), to_string(group.end)));
        return true;
      });
  if (!problem.empty())
    return fmt::format("what was released behind {} cannot be read: {}", to_string(sealed_at),
                       problem);
  if (!has_diverged(sealed_at, reached, found.groups)) return {};
  if (const auto refused = file_.store_promise(candidate); refused) return *refused;
  return diverge(found, named);
}

std::string ReplicaControl::diverge(const Divergence& divergence,
                                    const std::vector<std::string>& named) {
  side_.stop_feed();
  if (const int error = side_.exposures().set_divergence(divergence); error != 0)
    log::error("divergence_not_recorded", "that this replica is DIVERGED cannot be stored: {}",
               errno_text(error));
  const std::string text = diverged_text(divergence);
  log::error("diverged", "{}", text);
  for (const std::string& group : named)
    log::error("diverged_group", "the source of term {} does not hold {}", divergence.term, group);
  if (divergence.groups > named.size())
    log::error("diverged_group", "and {} more", divergence.groups - named.size());
  const std::lock_guard lock(mutex_);
  view_.diverged_groups = named;
  return text;
}

}  // namespace binlane

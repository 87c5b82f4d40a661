#include "control/daemon/replica_status.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "control/config/peer_config.h"
#include "control/daemon/status_json.h"

namespace binlane {
namespace {

using nlohmann::json;

json receiver_json(const ReceiverCounters& counters) {
  return {{"frames", counters.frames},
          {"bytes", counters.bytes},
          {"duplicates", counters.duplicates},
          {"out_of_order", counters.out_of_order},
          {"stale", counters.stale},
          {"malformed", counters.malformed},
          {"dropped_no_room", counters.dropped_no_room},
          {"dropped_no_slot", counters.dropped_no_slot},
          {"acks", counters.acks},
          {"ack_repeats", counters.ack_repeats},
          {"probes", counters.probes},
          {"catch_up_frames", counters.catch_up_frames}};
}

json feed_json(const FeedStatus& feed) {
  json clients = json::array();
  for (const FeedClientStatus& client : feed.clients)
    clients.push_back({{"address", client.address},
                       {"server_id", client.server_id},
                       {"dumping", client.dumping},
                       {"by_gtid", client.by_gtid},
                       {"ahead", client.ahead},
                       {"position", position_json(client.position)}});
  return {{"listening", feed.listening},
          {"problem", text_or_null(feed.problem)},
          {"clients", clients},
          {"accepted", feed.accepted},
          {"refused_logins", feed.refused_logins},
          {"dropped_logins", feed.dropped_logins},
          {"dumps", feed.dumps},
          {"refused_dumps", feed.refused_dumps},
          {"events", feed.events},
          {"bytes", feed.bytes},
          {"restarts", feed.restarts},
          {"gap", text_or_null(feed.gap)},
          {"last_error", text_or_null(feed.last_error)}};
}

json sealed_json(const std::vector<SealedStream>& streams) {
  json rows = json::array();
  for (const SealedStream& sealed : streams)
    rows.push_back({{"stream", to_string(sealed.stream)}, {"end", position_json(sealed.end)}});
  return rows;
}

json exposures_json(const ExposureState& state) {
  json rows = json::array();
  for (const Exposure& exposure : state.exposures)
    rows.push_back(
        {{"id", exposure.id},
         {"epoch", epoch_text(exposure.epoch)},
         {"from", position_json(exposure.from)},
         {"to", exposure.to ? position_json(*exposure.to) : json(nullptr)},
         {"groups", exposure.groups == kUncountedGroups ? json(nullptr) : json(exposure.groups)}});
  return rows;
}

json divergence_json(const ReplicaControl::View& view) {
  const auto& divergence = view.exposures.divergence;
  if (!divergence) return nullptr;
  return {{"term", divergence->term},
          {"sealed_at", position_json(divergence->sealed_at)},
          {"reached", position_json(divergence->reached)},
          {"groups", divergence->groups},
          {"named", view.diverged_groups}};
}

// Which hosts the replica hears, and where that is configured.
json sources_json(const ReplicaSources& sources) {
  json heard = json::array();
  for (std::size_t i = 0; i < sources.peers.size(); ++i)
    heard.push_back(peer_text(sources.peers.at(i)));
  return {{"from", to_string(sources.from)}, {"heard", std::move(heard)}};
}

json retention_json(const ArchivePruner::View& view) {
  return {{"files", view.files},
          {"bytes", view.bytes},
          {"free_bytes", view.free_bytes ? json(*view.free_bytes) : json(nullptr)},
          {"days_left", view.days_left ? json(*view.days_left) : json(nullptr)},
          {"removed_files", view.removed_files},
          {"removed_bytes", view.removed_bytes},
          {"failures", view.failures},
          {"failure", text_or_null(view.failure)},
          {"kept_because", to_string(view.kept)},
          {"over_limit", view.over_limit},
          {"nearly_full", view.nearly_full}};
}

}  // namespace

json replica_json(const StatusSight& whole) {
  const ReplicaSight& sight = *whole.host.replica;
  const ReplicaControl::View& view = sight.control;
  const ArchiverStatus& archive = sight.archive;
  const ReplicaLaneMarks& marks = view.marks;
  return {
      {"at_work", replica_at_work(whole.host)},
      {"connected", marks.connected && !view.away},
      {"away", view.away},
      {"last_heard_ms", marks.connected ? json(view.silent_ns / kNanosPerMilli) : json(nullptr)},
      {"state", view.exposures.divergence ? "DIVERGED" : "FOLLOWING"},
      {"diverged", divergence_json(view)},
      {"exposed", exposures_json(view.exposures)},
      {"exposed_total", view.exposures.total},
      {"source", text_or_null(view.source_name)},
      {"sources", sources_json(sight.sources)},
      {"unknown_peer", unknown_peer_json(marks.unknown_peers, marks.unknown_peer)},
      {"refusal", text_or_null(view.refusal)},
      {"stream", view.stream.is_null() ? json(nullptr) : json(to_string(view.stream))},
      {"journal_id", to_string(view.journal_id)},
      {"promise",
       {{"term", view.promise.term},
        {"candidate", view.promise.candidate.is_null() ? json(nullptr)
                                                       : json(to_string(view.promise.candidate))}}},
      {"rules", view.rules},
      {"sealed", sealed_json(view.sealed)},
      {"archive_folder", whole.archive_folder},
      {"learner_until", position_json(view.learner_until.position)},
      {"epoch", epoch_text(marks.epoch)},
      {"received", position_json(marks.received)},
      {"durable", position_json(marks.durable)},
      {"released", position_json(marks.released)},
      {"archived", position_json(archive.end)},
      {"archived_durable", position_json(archive.durable)},
      {"archive",
       {{"syncs", archive.syncs},
        {"disk_full_count", archive.disk_full_count},
        {"waits_for_room", archive.waits_for_room},
        {"failure", text_or_null(archive.failure)},
        {"retention", retention_json(sight.retention)}}},
      {"journal",
       {{"blocks", marks.block_count},
        {"free_blocks", marks.free_blocks},
        {"writes", marks.writes},
        {"disk", whole.journal_disk},
        {"failure", marks.failure == 0 ? json(nullptr) : json(errno_text(marks.failure))},
        {"damaged_until", position_json(view.damaged_until.position)}}},
      {"journal_free_blocks", marks.free_blocks},
      {"queues", queues_json(view.queues)},
      {"counters",
       {{"exposures_not_recorded", view.exposure_failures},
        {"hellos", view.hellos},
        {"hellos_refused", view.hellos_refused},
        {"hellos_foreign", view.hellos_foreign},
        {"hellos_not_bound", view.hellos_not_bound},
        {"promises_put_off", view.promises_put_off},
        {"foreign_datagrams", marks.frame_faults},
        {"unknown_peers", marks.unknown_peers},
        {"unknown_frames", marks.unknown_frames},
        {"hellos_lost", marks.hellos_lost},
        {"receiver", receiver_json(marks.receiver)}}},
      {"feed", feed_json(sight.feed)}};
}

}  // namespace binlane

// ReplicaHost, the part that stands for ReplicaControl's thread: has HELLOs judged by the
// production ReplicaAdmission, and does what that needs of a host.

#include <fmt/format.h>

#include "archive_view.h"
#include "base/stream_digest.h"
#include "replica_host.h"
#include "shim/stream_scan.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kPruneNs = 20 * kNanosPerMilli;

}  // namespace

void ReplicaHost::control() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && queues_->hello_in.try_pop(message); ++i)
    admit(message);
  if (queues_->state.load() != 0 && admission_->watch_repair(queues_->marks.load())) show_state();
  if (pruner_ && clock_.time_ns >= prune_ns_) prune();
}

// As ReplicaSide::prune_archive().
void ReplicaHost::prune() {
  prune_ns_ = clock_.time_ns + kPruneNs;
  const ReplicaLaneMarks marks = queues_->marks.load();
  RetentionFacts facts;
  if (!executed_.is_null()) facts.executed = executed_;
  executed_ = fed_;
  facts.in_session = marks.connected;
  facts.peers_need = marks.peers_need;
  const JournalMeta meta = store_->meta();
  const auto folders = archive_folders(meta, kArchiveDirectory);
  if (folders.empty()) return;
  const std::uint64_t before = files_pruned();
  pruner_->turn(folders, std::move(facts), clock_.time_ns);
  if (files_pruned() == before) return;
  const auto left = files_.list(folder(), kBasename);
  if (!left.empty()) first_kept_ = std::max(first_kept_, left.front().number);
  trace_.note("archive pruned", local_.ipv4, first_kept_, files_pruned());
}

void ReplicaHost::prune_by(const std::optional<RetentionPolicy>& policy) {
  pruner_.reset();
  if (policy) pruner_.emplace(*policy, files_);
}

void ReplicaHost::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none) return;
  if (frame.type() == wire::Type::exposed) {
    const auto answer = admission_->record(message, frame);
    if (answer) static_cast<void>(queues_->answers.try_push(*answer));
    return;
  }
  const auto body = body_as<wire::HelloBody>(frame);
  if (!admission_->concerns(body)) return;
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::refuse)) {
    refusal_ = field_text(body.reason);
    return;
  }
  const auto hello = admission_->answer(message, frame, body, clock_.time_ns);
  show_state();
  if (!hello) return;
  if (hello->not_bound) return pass_on(*hello);
  if (hello->refused)
    refusal_ = admission_->refusal();
  else if (body.phase == static_cast<std::uint8_t>(wire::Phase::start))
    refusal_.clear();
  pass_on(*hello);
}

// A full queue loses it, as the network might.
void ReplicaHost::pass_on(const AdmittedHello& hello) {
  static_cast<void>(queues_->admitted.try_push(hello));
}

std::string ReplicaHost::refuse_all() {
  return refuse_all_;
}

// A host that is the source hears of a later term from its replicas.
bool ReplicaHost::is_news(const wire::HelloBody&, const Promise&) {
  return false;
}

void ReplicaHost::hear(const wire::HelloBody&, const Promise&) {}

std::string ReplicaHost::source_alive() {
  const ReplicaLaneMarks marks = queues_->marks.load();
  const bool heard = marks.connected && clock_.time_ns < marks.heard_ns + kSourceHeardNs;
  return heard ? "a source" : std::string();
}

ReplicaLaneMarks ReplicaHost::marks() {
  return queues_->marks.load();
}

ArchiverStatus ReplicaHost::archive() {
  return archiver_->status();
}

std::optional<std::uint32_t> ReplicaHost::digest_archive(Position end, std::uint64_t length) {
  std::vector<std::byte> bytes(length);
  const std::string path = folder() + "/" + binlog_file_name(store_->stream().basename, end.file);
  if (files_.read(path, end.offset - length, bytes) != static_cast<std::int64_t>(length))
    return std::nullopt;
  return digest_bytes(0, end.offset - length, bytes);
}

std::optional<HeldGroups> ReplicaHost::held_groups() {
  ArchiveView archive(files_, folder(), store_->stream().basename);
  stand_still();
  auto held = binlane::held_groups(archive, *journal_, store_->meta().archived);
  queues_->pause.resume();
  return held;
}

std::string ReplicaHost::count_groups(Divergence& divergence) {
  ArchiveView view(files_, folder(), store_->stream().basename);
  const auto groups = binlane::count_groups(view, divergence.sealed_at, divergence.reached);
  divergence.groups = groups.value_or(0);
  return groups ? std::string() : "it is gone";
}

void ReplicaHost::diverge(const Divergence& divergence) {
  trace_.note("diverged", local_.ipv4, divergence.groups);
}

std::string ReplicaHost::adopt_stream(const StreamIdentity& stream, const LogMark& learner) {
  return store_->set_stream(stream, learner) == 0 ? std::string()
                                                  : "the journal cannot be bound to the stream";
}

std::string ReplicaHost::follow_stream(const StreamIdentity& stream, Position sealed_at,
                                       bool& done) {
  const Position archived = archiver_->status().durable;
  stand_still();
  AdmittedHello admitted;
  while (queues_->admitted.try_pop(admitted)) {
  }
  cycle_->end_session();
  journal_->release(journal_->end_log());
  done = archived == sealed_at && journal_->idle();
  std::string problem = done ? switch_stream(stream, sealed_at) : std::string();
  queues_->pause.resume();
  return problem;
}

std::string ReplicaHost::lend(const std::string& borrower, const Promise& promise) {
  loan_ = {borrower, promise, clock_.time_ns};
  return {};
}

void ReplicaHost::show_state() {
  queues_->state.store(admission_->state());
  admission_->own_exposures();
}

}  // namespace binlane::sim

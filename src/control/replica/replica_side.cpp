#include "control/replica_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/config_value.h"
#include "control/promotion_rule.h"
#include "storage/stream_switch.h"

namespace binlane {
namespace {

// Beside the journal.
constexpr const char* kExposureSuffix = ".exposed";
constexpr std::uint64_t kSecondsADay = 86'400;
// Between two attempts to begin what could not be begun.
constexpr std::uint64_t kBeginAgainNs = kNanosPerSecond;

std::unique_ptr<JournalFile> open_journal(const ReplicaConfig& replica) {
  JournalFileOptions options;
  options.path = replica.journal;
  options.size_bytes = replica.journal_size_mb << 20;
  options.danger_buffered = replica.danger_buffered_journal;
  return std::unique_ptr<JournalFile>(new JournalFile(JournalFile::open_or_format(options)));
}

RetentionPolicy retention_policy(const ReplicaConfig& replica) {
  RetentionPolicy policy;
  policy.keep_age_s = replica.archive_keep_days * kSecondsADay;
  policy.keep_bytes = replica.archive_keep_mb << 20;
  policy.keep_for_absent_bytes = replica.archive_keep_for_absent_mb << 20;
  policy.min_free_bytes = replica.archive_min_free_mb << 20;
  return policy;
}

// What the feed's clients still read: files of the present stream from `fed` on.
void add_feed(const FeedStatus& feed, RetentionFacts& facts) {
  for (const FeedClientStatus& client : feed.clients) {
    if (!client.dumping) continue;
    if (client.sealed) {
      facts.sealed_is_fed = true;
    } else if (!facts.fed || client.position.file < *facts.fed) {
      facts.fed = client.position.file;
    }
  }
}

}  // namespace

ReplicaSide::ReplicaSide(const Config& config, AnyPort& port)
    : config_(config),
      file_(open_journal(*config.replica)),
      exposure_file_(config.replica->journal + kExposureSuffix),
      exposures_(std::in_place, exposure_file_.load(),
                 [this](ConstBytes bytes) { return exposure_file_.store(bytes); }),
      pruner_(retention_policy(*config.replica), archive_io_),
      sources_(replica_sources(config)),
      lane_(port, *file_, cluster_id_of(config.cluster), config.name, sources_.peers),
      parts_(make_parts()),
      control_(std::make_unique<ReplicaControl>(config, *this)) {
  // A folder that does not hold what the journal has archived is no matter of waiting.
  if (const std::string problem = open_archive(); !problem.empty()) throw StartupError(problem);
}

ReplicaSide::~ReplicaSide() {
  stop_serving();
  stop_archive();
}

// A stream's folder bears its name; while there is none, the archive's own stands in for it.
std::string ReplicaSide::folder_of(const StreamIdentity& stream, bool own_folder) const {
  const std::string& archive = config_.replica->archive;
  const std::string subfolder = archive_subfolder(stream, own_folder);
  return subfolder.empty() ? archive : archive + "/" + subfolder;
}

std::shared_ptr<ReplicaSide::StreamParts> ReplicaSide::make_parts() {
  const ReplicaConfig& replica = *config_.replica;
  auto parts = std::make_shared<StreamParts>();
  const JournalMeta meta = file_->meta();
  parts->folder = folder_of(meta.stream, meta.own_folder);
  parts->archiver =
      std::make_unique<Archiver>(*file_, lane_.journal(), parts->folder, parts->groups,
                                 archive_channel(lane_.queues().released, lane_.queues().archived));
  FeedOptions feed;
  feed.listen = endpoint_text(replica.feed_listen);
  feed.user = replica.feed_user;
  feed.password = replica.feed_password;
  feed.archive_dir = parts->folder;
  feed.basename = [this] { return file_->stream().basename; };
  feed.server_id = static_cast<std::uint32_t>(replica.feed_server_id);
  for (const SealedStream& sealed : meta.sealed)
    feed.sealed.push_back(
        {{folder_of(sealed.stream, sealed.own_folder), sealed.stream.basename}, sealed.end});
  parts->limit = std::make_unique<ArchiveFeedLimit>(parts->archiver->end_watch());
  parts->feed = std::make_unique<BinlogServer>(std::move(feed), *parts->limit);
  parts->applied = make_applied_watch(*parts);
  return parts;
}

// The host's own server, where it is known: as the one whose commits wait when this host is the
// source, or as this section's own.
std::unique_ptr<AppliedWatch> ReplicaSide::make_applied_watch(const StreamParts& parts) {
  const ReplicaConfig& replica = *config_.replica;
  AppliedWatch::Options options;
  if (!replica.server_socket.empty())
    options.account = {replica.server_socket, replica.server_user, replica.server_password};
  else if (config_.source)
    options.account = {config_.source->server_socket, config_.source->server_user,
                       config_.source->server_password};
  else
    return nullptr;
  options.archive_dir = parts.folder;
  options.basename = [this] { return file_->stream().basename; };
  options.awaited = [this] {
    const auto rules = promotion_rules(file_->meta().rules);
    return std::any_of(rules.begin(), rules.end(), [](const PromotionRule& rule) {
      return rule.rule.level == AckLevel::applied;
    });
  };
  return std::make_unique<AppliedWatch>(
      std::move(options), *parts.limit,
      [this, &parts](Position executed) { return tell_applied(parts, executed); });
}

// The lane's marks say where one position is in the log, and the archive's files how far another is
// from there. False: the archive does not reach that far yet.
bool ReplicaSide::tell_applied(const StreamParts& parts, Position executed) {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  const Position complete = parts.limit->whole_groups();  // older files are
  const Position first = std::min(executed, marks.released);
  const Position last = std::max(executed, marks.released);
  if (marks.released.is_null() || last.file > complete.file) return false;
  const std::string basename = file_->stream().basename;
  const auto units = units_between(first, last, [&](std::uint32_t file) {
    std::error_code error;
    const auto size =
        std::filesystem::file_size(parts.folder + "/" + binlog_file_name(basename, file), error);
    return error ? std::optional<std::uint64_t>() : size;
  });
  if (!units) return false;
  const bool behind = executed < marks.released;
  if (behind && *units > marks.released_log) return false;  // from before this journal began
  const std::uint64_t log = behind ? marks.released_log - *units : marks.released_log + *units;
  lane_.queues().applied_log.store(log, std::memory_order_relaxed);
  return true;
}

std::shared_ptr<const ReplicaSide::StreamParts> ReplicaSide::parts() const {
  const std::lock_guard lock(mutex_);
  return parts_;
}

bool ReplicaSide::hear(const ReplicaSources& sources) {
  if (!lane_.queues().peers.try_push(sources.peers)) return false;
  const std::lock_guard lock(mutex_);
  sources_ = sources;
  return true;
}

ReplicaSources ReplicaSide::sources() const {
  const std::lock_guard lock(mutex_);
  return sources_;
}

void ReplicaSide::start() {
  started_ = true;
  if (const std::string problem = begin_parts(); !problem.empty()) throw StartupError(problem);
  control_->start();
}

std::string ReplicaSide::open_archive() {
  std::string problem = parts_->archiver->open(lane_.journal());
  if (problem.empty()) begun_ = Begun::archive_open;
  return problem;
}

// One step after the other, each done once; where one fails, the next call goes on with it.
std::string ReplicaSide::begin_parts() {
  std::string problem;
  if (begun_ == Begun::nothing) problem = open_archive();
  if (problem.empty() && begun_ == Begun::archive_open) {
    problem = parts_->archiver->start();
    if (problem.empty()) begun_ = Begun::archiver;
  }
  if (problem.empty() && begun_ == Begun::archiver) {
    problem = begin_feed();
    if (problem.empty()) begun_ = Begun::feed;
  }
  if (problem.empty() && begun_ == Begun::feed) {
    if (parts_->applied) problem = parts_->applied->start();
    if (problem.empty()) begun_ = Begun::all;
  }
  return problem;
}

// Not what a later term does not hold, not after a restart either (S10).
std::string ReplicaSide::begin_feed() {
  const JournalMeta meta = file_->meta();
  exposures_->set_owner({meta.journal, meta.stream.origin, meta.stream.term});
  if (!exposures_->diverged()) return parts_->feed->start();
  log::error("diverged", "this replica is DIVERGED: its server is fed nothing. Rebuild it");
  return {};
}

void ReplicaSide::begin_again(std::uint64_t now_ns) {
  if (begun_ == Begun::all || now_ns < next_begin_ns_) return;
  next_begin_ns_ = now_ns + kBeginAgainNs;
  const bool opens = begun_ == Begun::nothing;
  if (opens && !lane_.stand_still()) return;
  tell_begun(begin_parts());
  if (opens) lane_.go_on();
}

// Once for each reason, and once when it is over.
void ReplicaSide::tell_begun(const std::string& problem) {
  if (problem.empty() && !begin_problem_.empty())
    log::info("stream_goes_on", "archive and feed of the stream work");
  if (!problem.empty() && problem != begin_problem_)
    log::error("stream_not_begun",
               "{}; it is tried again every second. Until then the journal holds what is released",
               problem);
  begin_problem_ = problem;
}

// Before the archive: the watch reads its files, and tells the lane.
void ReplicaSide::end_parts() {
  if (parts_->applied) parts_->applied->stop();
  parts_->feed->stop();
  parts_->archiver->stop();
}

void ReplicaSide::stop_serving() {
  // Control first: it alone makes new parts.
  if (control_) control_->stop();
  if (parts_->applied) parts_->applied->stop();
  parts_->feed->stop();
}

void ReplicaSide::stop_archive() {
  parts_->archiver->stop();
}

std::string ReplicaSide::adopt_stream(const StreamIdentity& stream, const LogMark& learner) {
  BL_ASSERT(lane_.queues().pause.standing());
  if (const int error = file_->set_stream(stream, learner); error != 0)
    return fmt::format("the journal cannot be bound to the stream: {}", errno_text(error));
  const JournalMeta meta = file_->meta();
  if (folder_of(meta.stream, meta.own_folder) == parts_->folder) return {};
  end_parts();
  replace_parts();
  return {};
}

std::string ReplicaSide::switch_stream(const StreamIdentity& next, Position sealed_at) {
  BL_ASSERT(lane_.queues().pause.standing());
  end_parts();
  const int error =
      file_->switch_stream(next, sealed_at, newest_block(lane_.journal(), file_->meta()));
  // Marks and sequence numbers of the old parts mean nothing to the new ones.
  if (error == 0) lane_.rebuild(*file_);
  std::string problem = error == 0
                            ? std::string()
                            : fmt::format("the superblock cannot be stored: {}", errno_text(error));
  replace_parts();
  return problem;
}

void ReplicaSide::set_retention(const ReplicaConfig& replica) {
  pruner_.set_policy(retention_policy(replica));
}

void ReplicaSide::prune_archive(std::uint64_t now_ns) {
  if (!pruner_.due(now_ns)) return;
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  RetentionFacts facts;
  if (parts_->applied) facts.executed = parts_->applied->executed();
  add_feed(parts_->feed->status(), facts);
  facts.in_session = marks.connected;
  facts.peers_need = marks.peers_need;
  pruner_.turn(archive_folders(file_->meta(), config_.replica->archive), std::move(facts), now_ns);
}

void ReplicaSide::replace_parts() {
  auto parts = make_parts();
  {
    const std::lock_guard lock(mutex_);
    parts_ = std::move(parts);
  }
  begun_ = Begun::nothing;
  if (!started_) return;
  tell_begun(begin_parts());
  next_begin_ns_ = monotonic_ns() + kBeginAgainNs;
}

}  // namespace binlane

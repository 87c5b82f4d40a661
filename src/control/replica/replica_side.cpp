#include "control/replica/replica_side.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/config/config_value.h"
#include "control/config/promotion_rule.h"
#include "control/replica/applied_watch.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"
#include "storage/journal/stream_switch.h"

namespace binlane {
namespace {

// Between two attempts to begin a part that could not begin.
constexpr std::uint64_t kBeginAgainNs = kNanosPerSecond;

// Which files the feed's clients still read; `fed` is the oldest one of the present stream.
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

RetentionPolicy retention_policy(const ReplicaConfig& replica) {
  RetentionPolicy policy;
  policy.keep_age_s = replica.archive_keep_days * kSecondsADay;
  policy.keep_bytes = replica.archive_keep_mb << 20;
  policy.keep_for_absent_bytes = replica.archive_keep_for_absent_mb << 20;
  policy.min_free_bytes = replica.archive_min_free_mb << 20;
  return policy;
}

ReplicaSide::ReplicaSide(const Config& config, ReplicaPlatform& platform)
    : config_(config),
      platform_(platform),
      exposures_(std::in_place, platform.load_exposures(),
                 [this](ConstBytes bytes) { return platform_.store_exposures(bytes); }),
      pruner_(retention_policy(*config.replica), platform.files()),
      sources_(replica_sources(config)),
      parts_(make_parts()),
      control_(std::make_unique<ReplicaControl>(config, *this)) {
  // A folder that lacks what the journal has archived does not get better by waiting.
  if (const std::string problem = open_archive(); !problem.empty()) throw StartupError(problem);
}

ReplicaSide::~ReplicaSide() {
  stop_serving();
  stop_archive();
}

// Each stream has a folder of its own name, except the first one, which is in the archive's root.
std::string ReplicaSide::folder_of(const StreamIdentity& stream, bool own_folder) const {
  const std::string& archive = config_.replica->archive;
  const std::string subfolder = archive_subfolder(stream, own_folder);
  return subfolder.empty() ? archive : archive + "/" + subfolder;
}

std::shared_ptr<ReplicaSide::StreamParts> ReplicaSide::make_parts() {
  const ReplicaConfig& replica = *config_.replica;
  auto parts = std::make_shared<StreamParts>();
  const JournalMeta meta = store().meta();
  parts->folder = folder_of(meta.stream, meta.own_folder);
  parts->archiver = std::make_unique<Archiver>(
      store(), lane().journal(), parts->folder, parts->groups,
      archive_channel(lane().queues().released, lane().queues().archived), &platform_.files());
  FeedOptions feed;
  feed.listen = endpoint_text(replica.feed_listen);
  feed.user = replica.feed_user;
  feed.password = replica.feed_password;
  feed.archive_dir = parts->folder;
  feed.basename = [this] { return store().stream().basename; };
  feed.origin = meta.stream.origin;
  feed.server_id = static_cast<std::uint32_t>(replica.feed_server_id);
  for (const SealedStream& sealed : meta.sealed)
    feed.sealed.push_back(
        {{folder_of(sealed.stream, sealed.own_folder), sealed.stream.basename}, sealed.end});
  parts->limit = std::make_unique<ArchiveFeedLimit>(parts->archiver->end_watch());
  parts->feed = platform_.make_feed(std::move(feed), *parts->limit);
  parts->applied = make_executed_watch(*parts);
  return parts;
}

// The host's own server: [replica] may name it, and if it does not, [source] does where there is
// one.
std::unique_ptr<ExecutedWatch> ReplicaSide::make_executed_watch(const StreamParts& parts) {
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
  options.basename = [this] { return store().stream().basename; };
  options.awaited = [this] {
    const auto rules = promotion_rules(store().meta().rules);
    return std::any_of(rules.begin(), rules.end(), [](const PromotionRule& rule) {
      return rule.rule.level == AckLevel::applied;
    });
  };
  return platform_.make_executed_watch(
      std::move(options), *parts.limit,
      [this, &parts](Position executed) { return tell_applied(parts, executed); });
}

// Converts `executed` to a log offset and hands it to the lane. The lane's marks give one position
// whose log offset is known, and the sizes of the archive's files give the distance from there.
// Returns false while the archive does not reach that far.
bool ReplicaSide::tell_applied(const StreamParts& parts, Position executed) {
  BL_ASSERT(!executed.is_null());
  const ReplicaLaneMarks marks = lane().queues().marks.load();
  const Position complete = parts.limit->whole_groups();  // every older file is complete
  const Position first = std::min(executed, marks.released);
  const Position last = std::max(executed, marks.released);
  if (marks.released.is_null() || last.file > complete.file) return false;
  const std::string basename = store().stream().basename;
  const auto units = units_between(first, last, [&](std::uint32_t file) {
    return platform_.files().size(parts.folder + "/" + binlog_file_name(basename, file));
  });
  if (!units) return false;
  const bool is_before = executed < marks.released;
  if (is_before && *units > marks.released_log) return false;  // older than this journal
  const std::uint64_t log = is_before ? marks.released_log - *units : marks.released_log + *units;
  lane().proxy().set_applied(log);
  return true;
}

std::shared_ptr<const ReplicaSide::StreamParts> ReplicaSide::parts() const {
  const std::lock_guard lock(mutex_);
  return parts_;
}

bool ReplicaSide::hear(const ReplicaSources& sources) {
  if (!lane().proxy().hear(sources.peers)) return false;
  const std::lock_guard lock(mutex_);
  sources_ = sources;
  return true;
}

ReplicaSources ReplicaSide::sources() const {
  const std::lock_guard lock(mutex_);
  return sources_;
}

void ReplicaSide::start() {
  BL_ASSERT(!started_ && begun_ == Begun::archive_open);
  started_ = true;
  if (const std::string problem = begin_parts(); !problem.empty()) throw StartupError(problem);
  platform_.start_control([this] { control_->work(); });
}

bool ReplicaSide::call(const std::function<void()>& work) {
  return platform_.call([&] {
    work();
    control_->show_meta();
  });
}

ArchivePlace ReplicaSide::archive_place() {
  const std::string folder = parts()->folder;
  const std::string basename = store().stream().basename;
  return {folder, basename, platform_.folders().open(folder, basename)};
}

Result<GtidSet> ReplicaSide::fed_gtids() {
  FixedFeedLimit limit;
  limit.set(parts()->limit->whole_groups());
  ArchiveGtids gtids(archive_place(), limit, [] { return false; });
  if (auto set = gtids.executed()) return *std::move(set);
  return Status::failed(gtids.error());
}

Result<GtidGrammar> ReplicaSide::archived_kind() {
  FixedFeedLimit limit;
  limit.set(parts()->limit->whole_groups());
  ArchiveGtids gtids(archive_place(), limit, [] { return false; });
  const std::uint32_t newest = gtids.newest_file();
  if (newest == 0) return Status::failed("nothing is released yet");
  if (const auto start = gtids.file_start(newest)) return start->grammar();
  return Status::failed(gtids.error());
}

std::unique_ptr<BinlogFolder> ReplicaSide::open_archive_files() {
  return platform_.folders().open(parts()->folder, store().stream().basename);
}

std::string ReplicaSide::open_archive() {
  BL_ASSERT(lane().queues().pause.is_requested());  // the journal itself is read
  std::string problem = parts_->archiver->open(lane().journal());
  if (problem.empty()) begun_ = Begun::archive_open;
  return problem;
}

// One part after the other, each once. After a failure the next call continues with that part.
std::string ReplicaSide::begin_parts() {
  std::string problem;
  if (begun_ == Begun::nothing) problem = open_archive();
  if (problem.empty() && begun_ == Begun::archive_open) {
    problem = platform_.start_archiver(*parts_->archiver);
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

// A DIVERGED replica feeds nothing of this stream, not even after a restart. [S10]
std::string ReplicaSide::begin_feed() {
  const JournalMeta meta = store().meta();
  exposures_->set_owner({meta.journal, meta.stream.origin, meta.stream.term});
  if (!exposures_->diverged()) return parts_->feed->start();
  log::error(
      "diverged",
      "this replica is DIVERGED, so its server gets nothing from the feed. Rebuild the server, "
      "and then the journal (binlane rejoin --rebuilt)");
  return {};
}

void ReplicaSide::begin_again(std::uint64_t now_ns) {
  if (begun_ == Begun::all || now_ns < next_begin_ns_) return;
  next_begin_ns_ = now_ns + kBeginAgainNs;
  const bool opens = begun_ == Begun::nothing;
  if (opens && !lane().quiesce()) return;
  tell_begun(begin_parts());
  if (opens) lane().resume();
}

// Logs each reason once, and the recovery once.
void ReplicaSide::tell_begun(const std::string& problem) {
  if (problem.empty() && !begin_problem_.empty())
    log::info("stream_goes_on", "archive and feed of this stream work now");
  if (!problem.empty() && problem != begin_problem_)
    log::error(
        "stream_not_begun",
        "{}. This is tried again every second. Until it succeeds, released bytes remain in the "
        "journal",
        problem);
  begin_problem_ = problem;
}

// The watch ends before the archive, because it reads the archive's files and reports to the lane.
void ReplicaSide::end_parts() {
  if (parts_->applied) parts_->applied->stop();
  parts_->feed->stop();
  parts_->archiver->stop();
}

void ReplicaSide::stop_serving() {
  // Control ends first, because nothing else makes new parts.
  platform_.stop_control();
  if (parts_->applied) parts_->applied->stop();
  parts_->feed->stop();
}

void ReplicaSide::stop_archive() {
  parts_->archiver->stop();
}

Status ReplicaSide::adopt_stream(const StreamIdentity& stream, const LogMark& learner) {
  BL_ASSERT(lane().queues().pause.is_quiesced() && store().stream().is_null());
  if (const int error = store().set_stream(stream, learner); error != 0)
    return Status::failed(
        fmt::format("the journal cannot be bound to the stream: {}", errno_text(error)));
  const JournalMeta meta = store().meta();
  if (folder_of(meta.stream, meta.own_folder) == parts_->folder) return Status::ok();
  end_parts();
  replace_parts();
  return Status::ok();
}

Status ReplicaSide::switch_stream(const StreamIdentity& next, Position sealed_at) {
  BL_ASSERT(lane().queues().pause.is_quiesced() && lane().journal().idle());
  end_parts();
  const int error =
      store().switch_stream(next, sealed_at, newest_block(lane().journal(), store().meta()));
  // Marks and sequence numbers of the old parts mean nothing to the new ones.
  if (error == 0) lane().reload(store());
  replace_parts();
  if (error != 0)
    return Status::failed(fmt::format("the superblock cannot be stored: {}", errno_text(error)));
  BL_ASSERT(store().stream() == next && lane().journal().end().is_null());
  return Status::ok();
}

void ReplicaSide::prune_archive(std::uint64_t now_ns) {
  if (!pruner_.due(now_ns)) return;
  const ReplicaLaneMarks marks = lane().queues().marks.load();
  RetentionFacts facts;
  if (parts_->applied) facts.executed = parts_->applied->executed();
  add_feed(parts_->feed->status(), facts);
  facts.in_session = marks.connected;
  facts.peers_need = marks.peers_need;
  pruner_.turn(archive_folders(store().meta(), config_.replica->archive), std::move(facts), now_ns);
}

void ReplicaSide::replace_parts() {
  BL_ASSERT(lane().queues().pause.is_quiesced());
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

#include "replica_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "binlog_store.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/fixed_feed_limit.h"
#include "violation.h"

namespace binlane::sim {
namespace {

// The length of a turn of ReplicaThread.
constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;
constexpr std::uint64_t kPruneNs = 20 * kNanosPerMilli;

}  // namespace

// There is one thread, so it takes the lane's turn itself when control quiesces the lane.
class ReplicaHost::TurnedLane final : public Lane {
 public:
  using Lane::Lane;
  bool quiesce() override {
    queues().pause.request();
    do_work();
    BL_ASSERT(queues().pause.is_quiesced());
    return true;
  }
};

// The binlog server at its fastest: whatever may be served is served at once.
class ReplicaHost::OwnFeed final : public Feed {
 public:
  OwnFeed(ReplicaHost& host, FeedLimit& limit) : host_(host), limit_(limit) {}
  ~OwnFeed() override {
    if (host_.feed_ == this) host_.feed_ = nullptr;
  }
  std::string start() override {
    started_ = true;
    return {};
  }
  void stop() override { started_ = false; }
  FeedStatus status() const override {
    FeedStatus status;
    const FedServer& server = host_.server_;
    if (!started_ || !server.following || host_.clock_.time_ns < server.down_until_ns)
      return status;
    FeedClientStatus client;
    client.connection_id = 1;
    client.server_id = FedServer::kServerId;
    client.dumping = true;
    client.position = server.fed();
    status.clients.push_back(client);
    return status;
  }
  void turn() {
    if (!started_) return;
    const Position whole = limit_.whole_groups();
    if (host_.server_.take(host_.store_->stream(), host_.folder(), whole, host_.clock_.time_ns))
      host_.trace_.note("fed", host_.local_.ipv4, whole.file, whole.offset);
  }

 private:
  ReplicaHost& host_;
  FeedLimit& limit_;
  bool started_ = false;
};

class ReplicaHost::OwnExecuted final : public ExecutedWatch {
 public:
  explicit OwnExecuted(const FedServer& server) : server_(server) {}
  std::string start() override { return {}; }
  void stop() override {}
  std::optional<Position> executed() const override {
    const Position executed = server_.executed();
    return executed.is_null() ? std::nullopt : std::optional(executed);
  }

 private:
  const FedServer& server_;
};

ReplicaHost::Memory ReplicaHost::allocate(std::size_t size) {
  auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kBlockSize, size));
  BL_ASSERT(memory != nullptr);
  std::memset(memory, 0, size);
  return Memory(memory);
}

ReplicaHost::ReplicaHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random,
                         Trace& trace, std::string name, Endpoint local, const PeerList& sources,
                         std::uint32_t block_count)
    : clock_(clock),
      random_(random),
      trace_(trace),
      name_(std::move(name)),
      local_(local),
      sources_(sources),
      size_(std::size_t{block_count} * kBlockSize),
      platter_(allocate(size_)),
      port_(network, local),
      disk_(clock, random_.next(), MutableBytes(platter_.get(), size_)),
      image_(allocate(size_)) {
  config_.name = name_;
  config_.cluster = kClusterName;
  ReplicaConfig& replica = config_.replica.emplace();
  replica.journal = "journal";
  replica.archive = kArchiveDirectory;
  replica.server_socket = "server";
  replica.archive_keep_days = replica.archive_keep_mb = 0;
  replica.archive_keep_for_absent_mb = replica.archive_min_free_mb = 0;
  format();
}

ReplicaHost::~ReplicaHost() {
  forget();
}

void ReplicaHost::format() {
  std::memset(platter_.get(), 0, size_);
  // In production the promise is stored beside the journal as well, and remains.
  const Promise promised = superblock_.bytes.empty() ? Promise{} : stored_meta().promise;
  superblock_.bytes = encode_journal_meta(
      new_journal_meta(static_cast<std::uint32_t>(size_ / kBlockSize), promised));
}

void ReplicaHost::reseed() {
  BL_ASSERT(!up());
  trace_.note("re-seed", local_.ipv4);
  format();
  files_.remove_all();
  exposure_bytes_.reset();
  server_.begin_anew({});
  first_kept_ = 0;
  impaired = false;
  ++reseeds_;
}

void ReplicaHost::reset_promise(const Promise& promise) {
  BL_ASSERT(!up());
  trace_.note("promise reset", local_.ipv4, promise.term);
  JournalMeta meta = stored_meta();
  meta.promise = promise;
  superblock_.bytes = encode_journal_meta(meta);
}

// Opens the journal as JournalFile does, and then does what Daemon does.
void ReplicaHost::start() {
  BL_ASSERT(!up());
  ++openings_;
  problem_.clear();
  // The server knows what it has been sent, whatever recovery cuts off the archive.
  server_.execute_all();
  static_cast<void>(executed_gtid());
  port_.discard();
  store_ = std::make_unique<HostSuperblock>(superblock_, MutableBytes(image_.get(), size_));
  std::memcpy(image_.get(), platter_.get(), size_);
  const RecoveredJournal found = recover_journal(ConstBytes(image_.get(), size_), store_->meta());
  if (!found.refusal.empty()) {
    problem_ = found.refusal;
    trace_.line(name_ + " does not start: " + problem_);
    store_.reset();
    return;
  }
  const JournalStart& start = found.start;
  store_->set_start(start);
  const int error = store_->update([&start](JournalMeta& meta) {
    meta.incarnation = start.incarnation;
    meta.durable_sequence = start.next_sequence - 1;
    meta.durable = {start.epoch, start.end};
    meta.released = start.released;
    meta.damaged_until = start.damaged_until;
  });
  if (error != 0) {
    problem_ = "the superblock cannot be stored";
    forget();
    return;
  }
  held_stream_ = store_->stream();
  lane_ = std::make_unique<TurnedLane>(port_, disk_, clock_, *store_, cluster_id_of(kClusterName),
                                       name_, sources_);
  exposures_failed_ = false;
  try {
    side_ = std::make_unique<ReplicaSide>(config_, static_cast<ReplicaPlatform&>(*this));
    if (other_ != nullptr) other_->make();
    lane_->resume();
    side_->start();
  } catch (const StartupError& refused) {
    problem_ = refused.what();
    trace_.line(name_ + " does not start: " + problem_);
    forget();
    return;
  }
  control_ns_ = archive_ns_ = clock_.time_ns;
  trace_.note("replica starts", local_.ipv4, start.end.file, start.end.offset);
  if (other_ != nullptr) other_->begin();
}

void ReplicaHost::forget() {
  if (other_ != nullptr) other_->end();
  side_.reset();
  lane_.reset();
  store_.reset();
  archiving_ = nullptr;
  feed_ = nullptr;
}

// Writes in flight reach the disk or do not. The page cache remains.
void ReplicaHost::kill() {
  if (!up()) return;
  trace_.note("replica killed", local_.ipv4);
  disk_.cut_power();
  port_.crash();
  forget();
}

void ReplicaHost::cut_power() {
  kill();
  trace_.note("replica's power cut", local_.ipv4, disk_.tear);
  server_.execute_all();
  static_cast<void>(executed_gtid());  // the server knows it, whatever becomes of our files
  files_.cut_power(random_);
}

std::size_t ReplicaHost::turn() {
  if (!up() || clock_.time_ns < paused_until_ns) return 0;
  const std::size_t work = lane_->do_work();
  if (clock_.time_ns >= control_ns_) {
    control_ns_ = clock_.time_ns + 1 + random_.below(kTurnNs);
    control_turn_();
    if (held_stream_.is_null()) held_stream_ = store_->stream();
    if (retention_ && clock_.time_ns >= prune_ns_) prune();
  }
  if (clock_.time_ns >= archive_ns_) archive();
  server_.execute(clock_.time_ns);
  return work;
}

void ReplicaHost::archive() {
  const auto parts = side_->parts();
  const bool works = archiving_ == parts->archiver.get();
  const bool worked = works && parts->archiver->step(clock_.time_ns);
  archive_ns_ = clock_.time_ns + (worked ? 1 : kArchiveBusyPollNs);
  if (feed_ != nullptr) feed_->turn();
}

// Every 20 ms instead of every 5 s, because a fault does not last long.
void ReplicaHost::prune() {
  prune_ns_ = clock_.time_ns + kPruneNs;
  const std::uint64_t before = files_pruned();
  side_->set_retention(*retention_);
  side_->prune_archive(clock_.time_ns);
  if (files_pruned() == before) return;
  const auto left = files_.list(folder(), kBasename);
  if (!left.empty()) first_kept_ = std::max(first_kept_, left.front().number);
  trace_.note("archive pruned", local_.ipv4, first_kept_, files_pruned());
}

void ReplicaHost::prune_by(const std::optional<RetentionPolicy>& policy) {
  retention_ = policy;
  if (!policy && up()) side_->set_retention({});
}

// --- ReplicaPlatform -------------------------------------------------------------------------

ReplicaLane& ReplicaHost::lane() {
  return *lane_;
}

int ReplicaHost::store_exposures(ConstBytes bytes) {
  exposures_failed_ = exposures_failed_ || exposures_failing;
  if (exposures_failed_) return EIO;
  exposure_bytes_.emplace(bytes.begin(), bytes.end());
  return 0;
}

std::unique_ptr<Feed> ReplicaHost::make_feed(FeedOptions options, FeedLimit& limit) {
  const bool switched = store_->stream() != held_stream_;
  held_stream_ = store_->stream();
  if (switched) {
    ++streams_switched_;
    first_kept_ = 0;
    static_cast<void>(executed_gtid());
    // What was sealed is in the archive, for the server has nothing else to get it from.
    if (!options.sealed.empty()) {
      const SealedFeed& sealed = options.sealed.back();
      const auto size = files_.size(sealed.place.path(sealed.end.file));
      if (sealed.end.offset > 0 && size.value_or(0) < sealed.end.offset && !impaired)
        throw Violation(
            fmt::format("I8: {} goes over to another stream, and its archive does not "
                        "reach the end of the one before, at {}",
                        name_, to_string(sealed.end)));
    }
    static_cast<void>(server_.follow(held_stream_));
    trace_.note("stream switched", local_.ipv4, server_.fed_before().file,
                server_.fed_before().offset);
  }
  auto feed = std::make_unique<OwnFeed>(*this, limit);
  feed_ = feed.get();
  return feed;
}

std::unique_ptr<ExecutedWatch> ReplicaHost::make_executed_watch(AppliedWatch::Options, FeedLimit&,
                                                                std::function<bool(Position)>) {
  return std::make_unique<OwnExecuted>(server_);
}

std::string ReplicaHost::start_archiver(Archiver& archiver) {
  archiving_ = &archiver;
  return {};
}

bool ReplicaHost::call(const std::function<void()>& work) {
  if (!up()) return false;
  work();
  return true;
}

// --- for checks -------------------------------------------------------------------------------

// By reading the archived files up to there, as a server has counted it; once for each place, since
// the files may be gone later.
std::string ReplicaHost::executed_gtid() {
  const FedServer::Place at = server_.executed_place();
  if (at.position.is_null()) return server_.stood_at;
  if (at == executed_) return executed_gtid_;
  // Where the stream begins: it has executed nothing of it yet.
  const bool begins =
      at.position.offset == 0 &&
      !files_.size(at.folder + "/" + binlog_file_name(at.basename, at.position.file - 1));
  if (begins) return server_.fed_before().is_null() ? server_.stood_at : executed_gtid_;
  FixedFeedLimit limit;
  limit.set(at.position);
  ArchiveGtids gtids(
      {at.folder, at.basename, std::make_shared<ArchiveView>(files_, at.folder, at.basename)},
      limit, [] { return false; });
  const auto executed = gtids.executed();
  if (!executed)
    throw Violation(
        fmt::format("{}'s server has executed {} of {}, which its archive cannot tell: {}", name_,
                    to_string(at.position), at.folder, gtids.error()));
  executed_ = at;
  executed_gtid_ = executed->text();
  return executed_gtid_;
}

std::string ReplicaHost::folder() const {
  const JournalMeta meta = stored_meta();
  const std::string subfolder = archive_subfolder(meta.stream, meta.own_folder);
  return subfolder.empty() ? kArchiveDirectory : std::string(kArchiveDirectory) + "/" + subfolder;
}

bool ReplicaHost::archive_failed() const {
  return up() && !side_->parts()->archiver->status().failure.empty();
}

Position ReplicaHost::archive_end() const {
  return up() ? side_->parts()->archiver->end_watch().end().released_bytes : Position{};
}

std::string ReplicaHost::refusal() const {
  return up() ? side_->control().view().refusal : std::string();
}

bool ReplicaHost::damaged() const {
  return !decode_superblock(superblock_).damaged_until.is_null();
}

RecoveredJournal ReplicaHost::recover() const {
  return recover_journal(platter(), decode_superblock(superblock_));
}

std::string ReplicaHost::archive_path(std::uint32_t number) const {
  return folder() + "/" + binlog_file_name(kBasename, number);
}

}  // namespace binlane::sim

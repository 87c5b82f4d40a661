#include "replica_host.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"
#include "binlog_store.h"

namespace binlane::sim {
namespace {

// As ReplicaControl's turn.
constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;

}  // namespace

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
  format();
}

void ReplicaHost::format() {
  std::memset(platter_.get(), 0, size_);
  JournalMeta meta;
  meta.journal = Uuid::random();
  meta.block_count = static_cast<std::uint32_t>(size_ / kBlockSize);
  // As JournalFile: what stands beside the journal stays.
  if (!superblock_.bytes.empty() && !canary(Canary::promise_forgotten))
    meta.promise = stored_meta().promise;
  superblock_.bytes = encode_journal_meta(meta);
}

void ReplicaHost::reseed() {
  BL_ASSERT(!up());
  trace_.note("re-seed", local_.ipv4);
  format();
  files_.remove_all();
  exposure_bytes_.reset();
  fed_ = fed_before_ = executed_ = {};
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

void ReplicaHost::start() {
  BL_ASSERT(!up());
  loan_ = {};
  ++openings_;
  problem_.clear();
  refusal_.clear();
  port_.discard();
  store_ = std::make_unique<HostSuperblock>(superblock_);
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
  journal_.emplace(MutableBytes(image_.get(), size_), start);
  queues_ = std::make_unique<Cycle::Queues>();
  if (!make_parts()) {
    trace_.line(name_ + " does not start: " + problem_);
    forget();
    return;
  }
  exposures_failed_ = false;
  exposures_.emplace(exposure_bytes_, [this](ConstBytes bytes) {
    exposures_failed_ = exposures_failed_ || exposures_failing;
    if (exposures_failed_) return EIO;
    exposure_bytes_.emplace(bytes.begin(), bytes.end());
    return 0;
  });
  cycle_ = std::make_unique<Cycle>(port_, disk_, *journal_, clock_, *queues_,
                                   cluster_id_of(kClusterName), name_, sources_);
  queues_->pause.resume();
  admission_.emplace(name_, cluster_id_of(kClusterName), *store_, *exposures_,
                     static_cast<AdmissionHost&>(*this));
  show_state();
  control_ns_ = archive_ns_ = clock_.time_ns;
  trace_.note("replica starts", local_.ipv4, start.end.file, start.end.offset);
}

void ReplicaHost::forget() {
  admission_.reset();
  archiver_.reset();
  groups_.reset();
  cycle_.reset();
  queues_.reset();
  journal_.reset();
  store_.reset();
}

// Its writes in flight reach the disk or do not; the page cache stays.
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
  files_.cut_power(random_);
}

std::size_t ReplicaHost::turn() {
  if (!up() || clock_.time_ns < paused_until_ns) return 0;
  const std::size_t work = cycle_->do_work();
  if (clock_.time_ns >= control_ns_) {
    control_ns_ = clock_.time_ns + 1 + random_.below(kTurnNs);
    control();
  }
  if (clock_.time_ns >= archive_ns_) {
    const bool worked = archiver_->step(clock_.time_ns);
    archive_ns_ = clock_.time_ns + (worked ? 1 : kArchiveBusyPollNs);
    feed();
  }
  return work;
}

// --- as ReplicaSide -------------------------------------------------------------------------

// A stream's folder bears its name; the first one's is the archive itself.
std::string ReplicaHost::folder() const {
  const JournalMeta meta = stored_meta();
  const std::string subfolder = archive_subfolder(meta.stream, meta.own_folder);
  return subfolder.empty() ? kArchiveDirectory : std::string(kArchiveDirectory) + "/" + subfolder;
}

bool ReplicaHost::make_parts() {
  archiver_.reset();
  groups_ = std::make_unique<TrackedGroups>();
  archiver_ =
      std::make_unique<Archiver>(*store_, *journal_, folder(), *groups_,
                                 archive_channel(queues_->released, queues_->archived), &files_);
  problem_ = archiver_->open(*journal_);
  return problem_.empty();
}

std::string ReplicaHost::switch_stream(const StreamIdentity& next, Position sealed_at) {
  BL_ASSERT(queues_->pause.standing());
  const int error = store_->switch_stream(next, sealed_at, newest_block(*journal_, store_->meta()));
  if (error != 0) return "the superblock cannot be stored";
  // As ReplicaLane::rebuild().
  cycle_->end_session();
  ReleaseMark mark;
  while (queues_->released.try_pop(mark)) {
  }
  std::uint64_t sequence = 0;
  while (queues_->archived.try_pop(sequence)) {
  }
  archiver_.reset();
  journal_.emplace(MutableBytes(image_.get(), size_), store_->start());
  cycle_->forget_archive();
  if (!make_parts()) return problem_;
  fed_before_ = fed_;
  fed_ = executed_ = {};
  first_kept_ = 0;
  ++streams_switched_;
  trace_.note("stream switched", local_.ipv4, sealed_at.file, sealed_at.offset);
  return {};
}

// The binlog server, at its fastest: whatever may be served is served.
void ReplicaHost::feed() {
  // Not what a later term does not hold, not after a restart either (S10).
  if (exposures_->diverged()) return;
  const Position whole = archiver_->end_watch().whole_groups();
  if (whole > fed_) {
    fed_ = whole;
    trace_.note("fed", local_.ipv4, fed_.file, fed_.offset);
  }
}

// --- for checks -------------------------------------------------------------------------------

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

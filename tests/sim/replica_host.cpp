#include "replica_host.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"
#include "base/stream_digest.h"
#include "binlog_store.h"

namespace binlane::sim {
namespace {

// As ReplicaControl's turn, and how much of the archive's end a handshake proves.
constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;
constexpr std::uint64_t kBelowLength = 64 * 1024;

}  // namespace

ReplicaHost::Memory ReplicaHost::allocate(std::size_t size) {
  auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kBlockSize, size));
  BL_ASSERT(memory != nullptr);
  std::memset(memory, 0, size);
  return Memory(memory);
}

ReplicaHost::ReplicaHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random,
                         Trace& trace, std::string name, Endpoint local, std::uint32_t block_count)
    : clock_(clock),
      random_(random),
      trace_(trace),
      name_(std::move(name)),
      local_(local),
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
  superblock_.bytes = encode_journal_meta(meta);
}

void ReplicaHost::reseed() {
  BL_ASSERT(!up());
  trace_.note("re-seed", local_.ipv4);
  format();
  files_.remove_all();
  exposure_bytes_.reset();
  fed_ = {};
  impaired = false;
  ++reseeds_;
}

void ReplicaHost::start() {
  BL_ASSERT(!up());
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
  journal_ = std::make_unique<Journal>(MutableBytes(image_.get(), size_), start);
  queues_ = std::make_unique<Cycle::Queues>();
  groups_ = std::make_unique<TrackedGroups>();
  try {
    archiver_ =
        std::make_unique<Archiver>(*store_, *journal_, kArchiveDirectory, *groups_,
                                   archive_channel(queues_->released, queues_->archived), &files_);
  } catch (const StartupError& refused) {
    problem_ = refused.what();
    trace_.line(name_ + " does not start: " + problem_);
    forget();
    return;
  }
  exposures_.emplace(exposure_bytes_, [this](ConstBytes bytes) {
    exposure_bytes_.emplace(bytes.begin(), bytes.end());
    return 0;
  });
  cycle_ = std::make_unique<Cycle>(port_, disk_, *journal_, clock_, *queues_,
                                   cluster_id_of(kClusterName), name_);
  queues_->pause.resume();
  damaged_until_ = store_->meta().damaged_until;
  if (!damaged_until_.is_null()) queues_->state.store(wire::kStateDamaged);
  control_ns_ = archive_ns_ = clock_.time_ns;
  trace_.note("replica starts", local_.ipv4, start.end.file, start.end.offset);
}

void ReplicaHost::forget() {
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

// --- as ReplicaControl ----------------------------------------------------------------------

void ReplicaHost::control() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && queues_->hello_in.try_pop(message); ++i)
    admit(message);
  watch_repair();
}

void ReplicaHost::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none) return;
  if (frame.type() == wire::Type::exposed) return take_exposures(message, frame);
  const auto body = body_as<wire::HelloBody>(frame);
  if (body.cluster_id != cluster_id_of(kClusterName) || field_text(body.replica_name) != name_)
    return;
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::refuse)) {
    refusal_ = field_text(body.reason);
    return;
  }
  AdmittedHello hello;
  hello.message = message;
  const std::string refusal = judge(frame, body);
  const JournalMeta meta = store_->meta();
  hello.origin = meta.stream.origin;
  hello.stream_term = meta.stream.term;
  hello.journal_id = meta.journal;
  hello.answer_id = random_u64();
  hello.promised = {meta.promise.term, 0};
  hello.promised_to = meta.promise.candidate;
  if (refusal.empty()) {
    if (!meta.stream.is_null()) add_archive_digest(hello, meta.stream.basename);
    if (body.phase == static_cast<std::uint8_t>(wire::Phase::start)) refusal_.clear();
  } else {
    hello.refused = true;
    set_field(hello.reason, refusal);
    refusal_ = refusal;
  }
  // A full queue loses it, as the network might.
  static_cast<void>(queues_->admitted.try_push(hello));
}

void ReplicaHost::take_exposures(const HelloMessage& message, const FrameView& frame) {
  const auto list = decode_exposures(body_as<wire::ExposedBody>(frame));
  const JournalMeta meta = store_->meta();
  exposures_->set_owner({meta.journal, meta.stream.origin, meta.stream.term});
  if (!list || !exposures_->take(*list)) return;
  wire::ExposedAckBody body;
  body.number = list->number;
  FrameTags tags;
  tags.type = wire::Type::exposed_ack;
  tags.epoch = frame.epoch();
  tags.session_id = frame.header.session_id;
  HelloMessage answer;
  answer.peer = message.peer;
  std::memcpy(answer.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  answer.length = seal(answer.bytes, tags, sizeof body);
  static_cast<void>(queues_->answers.try_push(answer));
}

std::string ReplicaHost::judge(const FrameView& frame, const wire::HelloBody& body) {
  StreamIdentity stream;
  std::copy(std::begin(body.origin), std::end(body.origin), stream.origin.bytes.begin());
  stream.term = body.stream_term;
  stream.basename = field_text(body.basename);
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (const std::string mismatch = store_->stream_mismatch(stream); !mismatch.empty())
    return mismatch;
  if (frame.epoch().term < store_->promise().term) return "the term is over";
  if (body.phase != static_cast<std::uint8_t>(wire::Phase::start)) return {};
  Uuid candidate;
  std::copy(std::begin(body.candidate), std::end(body.candidate), candidate.bytes.begin());
  if (const auto problem = store_->store_promise({frame.epoch().term, candidate}); problem)
    return *problem;
  if (store_->stream().is_null() && store_->set_stream(stream) != 0)
    return "the journal cannot be bound to the stream";
  return {};
}

void ReplicaHost::add_archive_digest(AdmittedHello& hello, const std::string& basename) {
  const Position end = archiver_->status().durable;
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  std::vector<std::byte> bytes(length);
  const std::string path =
      std::string(kArchiveDirectory) + "/" + binlog_file_name(basename, end.file);
  if (files_.read(path, end.offset - length, bytes) != static_cast<std::int64_t>(length)) return;
  hello.below_digest = digest_bytes(0, end.offset - length, bytes);
  hello.below_length = length;
  hello.below_end = end;
}

void ReplicaHost::watch_repair() {
  const ReplicaLaneMarks marks = queues_->marks.load();
  if (damaged_until_.is_null() || !damaged_until_.is_reached_by(marks.epoch, marks.durable)) return;
  if (store_->clear_damage() != 0) return;
  trace_.note("journal repaired", local_.ipv4);
  queues_->state.store(0);
  damaged_until_ = {};
}

// The binlog server, at its fastest: whatever may be served is served.
void ReplicaHost::feed() {
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
  return std::string(kArchiveDirectory) + "/" + binlog_file_name(kBasename, number);
}

}  // namespace binlane::sim

#include "control/replica_control.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/stream_digest.h"
#include "shim/binlog_files.h"

namespace binlane {
namespace {

constexpr std::chrono::milliseconds kTurn{5};
// How much of the archive's end a handshake proves to be the source's.
constexpr std::uint64_t kBelowLength = 64 * 1024;

// Digest of the bytes in front of `end` in one archived file; nothing when they cannot be read.
std::optional<std::uint32_t> digest_file_tail(const PosixBinlogFiles& files, Position end,
                                              std::uint64_t length) {
  const int handle = files.open(end.file);
  if (handle < 0) return std::nullopt;
  std::vector<std::byte> bytes(length);
  const std::int64_t count = files.read_at(handle, end.offset - length, bytes);
  files.close(handle);
  if (count != static_cast<std::int64_t>(length)) return std::nullopt;
  return digest_bytes(0, end.offset - length, bytes);
}

}  // namespace

ReplicaControl::ReplicaControl(const Config& config, JournalFile& file, ReplicaLane& lane,
                               std::function<Position()> archived)
    : config_(config),
      file_(file),
      lane_(lane),
      archived_(std::move(archived)),
      cluster_id_(cluster_id_of(config.cluster)),
      archive_dir_(config.replica->archive) {
  const JournalMeta meta = file_.meta();
  view_.journal_id = meta.journal;
  view_.stream = meta.stream;
  view_.promise = meta.promise;
  view_.damaged_until = meta.damaged_until;
  if (!view_.damaged_until.is_null()) lane_.queues().state.store(wire::kStateDamaged);
}

ReplicaControl::~ReplicaControl() {
  stop();
}

void ReplicaControl::start() {
  thread_ = std::thread([this] { run(); });
}

void ReplicaControl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReplicaControl::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    work();
    lock.lock();
    wake_.wait_for(lock, kTurn, [this] { return stopping_; });
  }
}

void ReplicaControl::work() {
  HelloMessage message;
  for (std::size_t i = 0; i < kReplicaHelloQueue && lane_.queues().hello_in.try_pop(message); ++i)
    admit(message);
  watch_repair();
}

void ReplicaControl::admit(const HelloMessage& message) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none)
    return;  // the lane has looked at it already
  const auto body = body_as<wire::HelloBody>(frame);
  if (body.cluster_id != cluster_id_ || field_text(body.replica_name) != config_.name) {
    const std::lock_guard lock(mutex_);
    ++view_.hellos_foreign;
    return;
  }
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::refuse)) {
    note_refusal(fmt::format("the source refuses: {}", field_text(body.reason)));
    return;
  }
  AdmittedHello hello;
  hello.message = message;
  const std::string refusal = judge(frame, body);
  const JournalMeta meta = file_.meta();
  hello.origin = meta.stream.origin;
  hello.journal_id = meta.journal;
  hello.promised = {meta.promise.term, 0};
  if (refusal.empty()) {
    if (!meta.stream.is_null()) add_archive_digest(hello, meta.stream.basename);
  } else {
    hello.refused = true;
    set_field(hello.reason, refusal);
    note_refusal(fmt::format("source {} refused: {}", field_text(body.source_name), refusal));
  }
  {
    const std::lock_guard lock(mutex_);
    ++view_.hellos;
    if (hello.refused) ++view_.hellos_refused;
    view_.stream = meta.stream;
    view_.promise = meta.promise;
    if (!hello.refused) view_.source_name = field_text(body.source_name);
    if (!hello.refused && body.phase == static_cast<std::uint8_t>(wire::Phase::start))
      view_.refusal.clear();
  }
  // A full queue loses the HELLO as the network might; the source repeats it.
  if (!lane_.queues().admitted.try_push(hello))
    log::debug("hello_queue_full", "HELLO dropped: the lane is busy");
}

void ReplicaControl::note_refusal(const std::string& refusal) {
  const std::lock_guard lock(mutex_);
  if (refusal != view_.refusal) log::error("session_refused", "{}", refusal);
  view_.refusal = refusal;
}

// Why this source is not to be served; empty when it is. Makes durable what an answer promises.
std::string ReplicaControl::judge(const FrameView& frame, const wire::HelloBody& body) {
  if (body.version_min > wire::kVersion || body.version_max < wire::kVersion)
    return fmt::format("this replica speaks version {} of the protocol, the source {} to {}",
                       wire::kVersion, body.version_min, body.version_max);
  StreamIdentity stream;
  std::copy(std::begin(body.origin), std::end(body.origin), stream.origin.bytes.begin());
  stream.term = frame.epoch().term;
  stream.basename = field_text(body.basename);
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (stream.basename.find('/') != std::string::npos)
    return "the binlogs' base name contains a slash";
  if (const std::string mismatch = file_.stream_mismatch(stream); !mismatch.empty())
    return mismatch;
  const Promise promise = file_.promise();
  if (frame.epoch().term < promise.term)
    return fmt::format("term {} is over: term {} was promised to another source",
                       frame.epoch().term, promise.term);
  if (body.phase != static_cast<std::uint8_t>(wire::Phase::start)) return {};
  // Only now is the journal bound: an ASK alone changes nothing.
  if (const auto problem = file_.store_promise({stream.term, stream.origin}); problem)
    return *problem;
  if (file_.stream().is_null()) {
    if (const int error = file_.set_stream(stream); error != 0)
      return fmt::format("the journal cannot be bound to the stream: {}", errno_text(error));
    log::info("stream_adopted", "journal {} belongs to stream {} now", to_string(view_.journal_id),
              to_string(stream));
  }
  return {};
}

void ReplicaControl::add_archive_digest(AdmittedHello& hello, const std::string& basename) {
  const Position end = archived_();
  if (end.is_null() || end.offset == 0) return;
  const std::uint64_t length = std::min(kBelowLength, end.offset);
  const auto digest = digest_file_tail(PosixBinlogFiles(archive_dir_, basename), end, length);
  if (!digest) {
    log::warning("archive_unreadable", "the archive cannot be read in front of {}", to_string(end));
    return;
  }
  hello.below_digest = *digest;
  hello.below_length = length;
  hello.below_end = end;
}

void ReplicaControl::watch_repair() {
  const ReplicaLaneMarks marks = lane_.queues().marks.load();
  LogMark damaged_until;
  {
    const std::lock_guard lock(mutex_);
    view_.marks = marks;
    damaged_until = view_.damaged_until;
  }
  if (damaged_until.is_null() || !damaged_until.is_reached_by(marks.epoch, marks.durable)) return;
  if (const int error = file_.clear_damage(); error != 0) {
    log::error("superblock_failed", "the journal's repair cannot be recorded: {}",
               errno_text(error));
    return;
  }
  log::info("journal_repaired", "all that was damaged is durable again, up to {}",
            to_string(damaged_until.position));
  lane_.queues().state.store(0);
  const std::lock_guard lock(mutex_);
  view_.damaged_until = {};
}

ReplicaControl::View ReplicaControl::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace binlane

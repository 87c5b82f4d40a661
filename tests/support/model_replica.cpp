#include "model_replica.h"

#include <cstring>

#include "base/stream_digest.h"
#include "dataplane/lane/replica_lane_proxy.h"

namespace binlane::test {
namespace {

constexpr std::uint64_t kBelowBytes = 4096;  // of the archive, that a handshake compares

}  // namespace

ModelReplica::Memory ModelReplica::allocate(std::size_t size) {
  auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kBlockSize, size));
  BL_ASSERT(memory != nullptr);
  std::memset(memory, 0, size);
  return Memory(memory);
}

ModelReplica::ModelReplica(VirtualClock& clock, FakeNetwork& network, std::uint64_t seed,
                           std::string name, Endpoint local, std::uint32_t block_count)
    : clock_(clock),
      name_(std::move(name)),
      local_(local),
      size_(std::size_t{block_count} * kBlockSize),
      platter_(allocate(size_)),
      image_(allocate(size_)),
      port_(network, local),
      disk_(clock, seed, MutableBytes(platter_.get(), size_)) {
  meta_.journal.bytes.fill(static_cast<std::uint8_t>(seed % 250 + 1));
  std::memcpy(meta_.journal.bytes.data(), &local, sizeof local.ipv4);
  meta_.block_count = block_count;
}

void ModelReplica::open() {
  BL_ASSERT(!up());
  std::memcpy(image_.get(), platter_.get(), size_);
  const RecoveredJournal found = recover_journal(ConstBytes(image_.get(), size_), meta_);
  // A crash is not damage: nothing that was ACKed is missing.
  BL_ASSERT(found.refusal.empty() && !found.damage);
  meta_.incarnation = found.start.incarnation;
  meta_.durable_sequence = found.start.next_sequence - 1;
  meta_.durable = {found.start.epoch, found.start.end};
  meta_.released = found.start.released;
  journal_ = std::make_unique<Journal>(MutableBytes(image_.get(), size_), found.start);
  cursor_ = std::make_unique<JournalCursor>(*journal_, meta_.archived);
  queues_ = std::make_unique<Cycle::Queues>();
  cycle_ = std::make_unique<Cycle>(port_, disk_, *journal_, clock_, *queues_, kCluster, name_,
                                   PeerList::anybody());
  queues_->pause.resume();
}

void ModelReplica::crash() {
  disk_.cut_power();
  port_.crash();
  cycle_.reset();
  queues_.reset();
  cursor_.reset();
  journal_.reset();
}

void ModelReplica::run_threads(const Uuid& stream_origin) {
  if (!up()) return;
  HelloMessage message;
  while (queues_->hello_in.try_pop(message)) admit(message, stream_origin);
  archive_released();
}

void ModelReplica::admit(const HelloMessage& message, const Uuid& stream_origin) {
  FrameView frame;
  if (decode(message.frame(), frame) != FrameFault::none) return;
  AdmittedHello admitted;
  admitted.message = message;
  admitted.journal_id = meta_.journal;
  // Known to the control thread once the lane has shown it.
  if (!marks().durable.is_null()) admitted.origin = stream_origin;
  const auto body = body_as<wire::HelloBody>(frame);
  // As the admission: the first HELLO of a source names no answer, and is told one.
  admitted.bound = body.answer_id != 0;
  admitted.answer_id = ++answers_;
  if (body.phase == static_cast<std::uint8_t>(wire::Phase::start)) ++sessions_;
  if (!archive_end_.is_null() && archive_end_.offset > 0) {
    const auto& file = archive_.at(archive_end_.file);
    admitted.below_end = archive_end_;
    admitted.below_length = std::min<std::uint64_t>(archive_end_.offset, kBelowBytes);
    const std::uint64_t from = archive_end_.offset - admitted.below_length;
    admitted.below_digest = digest_bytes(0, from, ConstBytes(file).subspan(from));
  }
  ReplicaLaneProxy(*queues_).admit(admitted);
}

void ModelReplica::archive_released() {
  ReleaseMark mark;
  bool news = false;
  while (queues_->released.try_pop(mark)) news = true;
  if (!news) return;
  while (const auto chunk = cursor_->next(mark)) {
    if (archive_end_.is_null()) archive_end_ = chunk->at;
    // After a restart the cursor begins at a whole block again, of which a part was archived.
    if (chunk->file_end) {
      if (chunk->at < archive_end_) continue;
      BL_ASSERT(chunk->at == archive_end_);
      archive_end_ = {chunk->at.file + 1, 0};
      archive_[archive_end_.file];
      continue;
    }
    const Position end{chunk->at.file, chunk->at.offset + chunk->bytes.size()};
    if (end <= archive_end_) continue;
    auto& file = archive_[chunk->at.file];
    BL_ASSERT(chunk->at <= archive_end_ && archive_end_.file == chunk->at.file);
    const auto known = static_cast<std::ptrdiff_t>(archive_end_.offset - chunk->at.offset);
    file.insert(file.end(), chunk->bytes.begin() + known, chunk->bytes.end());
    archive_end_ = end;
  }
  meta_.durable_sequence = mark.durable_sequence;
  meta_.durable = mark.durable;
  meta_.released = mark.position;
  if (cursor_->consumed().sequence == meta_.archived.sequence) return;
  meta_.archived = cursor_->consumed();
  BL_ASSERT(queues_->archived.try_push(meta_.archived.sequence));
}

Position ModelReplica::durable_on_platter() const {
  const RecoveredJournal found = recover_journal(ConstBytes(platter_.get(), size_), meta_);
  BL_ASSERT(found.refusal.empty() && !found.damage);
  return found.start.end;
}

}  // namespace binlane::test

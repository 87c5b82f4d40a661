#include "checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"

namespace binlane::sim {
namespace {

// What a source knows of a replica's journal is never older, if it hears of it at all.
constexpr std::uint64_t kRoomKnownNs = 2 * kNanosPerSecond;
// Of a journal, next to nothing.
constexpr std::uint64_t kLittle = 32 * 1024;

}  // namespace

Checks::Checks(World& world)
    : world_(world), random_(world.options().seed ^ 0xc4ec), of_(world.replicas().size()) {
  world.network().watch = [this](const Endpoint& from, const Endpoint&, ConstBytes bytes) {
    on_packet(from, bytes);
  };
  world.server().answered = [this](const Commit& commit) { on_answer(commit); };
  world.source().told = [this](Position position) { on_told(position); };
  world.source().turning_off = [this] { check_turning_off(); };
}

void Checks::fail(const std::string& invariant, const std::string& what) const {
  throw Violation(fmt::format("{}: {}; {}", invariant, what, world_.describe()));
}

void Checks::on_packet(const Endpoint& from, ConstBytes bytes) {
  world_.trace().count(from.ipv4, bytes.size());
  FrameView frame;
  if (decode(bytes, frame) != FrameFault::none) fail("frames", "a damaged frame was sent");
  if (frame.type() == wire::Type::hello) return check_cut(frame);
  for (std::size_t i = 0; i < of_.size(); ++i) {
    if (world_.replicas()[i]->endpoint() != from) continue;
    if (frame.type() == wire::Type::hello_ack) note_started(frame, i);
    if (frame.type() == wire::Type::ack) check_ack(frame, i);
  }
}

void Checks::on_answer(const Commit& commit) {
  world_.on_answer(origin_, commit);
  if (commit.answer == Answer::acked) {
    ++counts_.acked;
    check_quorum_holds(commit);
    check_split_ack(commit);
  } else {
    ++counts_.exposed;
    if (commit.answer == Answer::foreign) ++counts_.foreign;
    if (commit.answer == Answer::unwaited) ++counts_.unwaited;
    check_woken(commit);
    // If a quorum has all of it nevertheless, and only the server has not heard of that, nothing is
    // exposed.
    // A ledger that cannot be written is reported. What the server releases meanwhile by itself is
    // not in it.
    const Ledger* const ledger = world_.source().ledger();
    const bool writable = !SourceHost::ledger_fails() && (ledger == nullptr || !ledger->failed());
    if (promised_ && writable && commit.end > told_ && !satisfied(holders_of(commit)))
      exposures_.push_back(
          {commit, origin_, commit.answer == Answer::exposed && world_.server().status_on()});
  }
}

void Checks::on_told(Position position) {
  world_.trace().note("told", position.file, position.offset);
  told_ = std::max(told_, position);
  check_epoch(position);
}

// A RESET, or a source that forgot its state, begins a new stream, in which positions name other
// bytes.
void Checks::follow_stream() {
  const SourceHost& source = world_.source();
  if (!source.begun()) return;
  if (source.up() && source.origin() != origin_) {
    origin_ = source.origin();
    between_streams_ = false;
    forget_marks();
    promised_ = false;
  }
  if (world_.server().resets() == resets_) return;
  resets_ = world_.server().resets();
  between_streams_ = true;
  forget_marks();
  acked_gtids_.clear();
  exposures_.clear();
  promised_ = false;
}

void Checks::forget_marks() {
  told_ = safe_ = may_release_ = degraded_to_ = {};
  for (OfReplica& of : of_) of.may_release = {};
}

// While degraded what the source has synced is released; with `hold` only to those replicas whose
// journals are full, as far as their source can know (S10).
void Checks::follow_held() {
  const SourceHost& source = world_.source();
  if (source.degraded()) degraded_to_ = std::max(degraded_to_, durable_at_source());
  if (world_.options().degraded_release == DegradedRelease::release) {
    may_release_ = std::max(may_release_, degraded_to_);
    return;
  }
  for (std::size_t i = 0; i < of_.size(); ++i) {
    if (!has_room(i)) of_[i].full_ns = world_.clock().time_ns;
    if (world_.clock().time_ns < of_[i].full_ns + kRoomKnownNs)
      of_[i].may_release = std::max(of_[i].may_release, degraded_to_);
  }
}

// More than half of its journal is free, and its source knows that it lags by little.
bool Checks::has_room(std::size_t replica) const {
  const ReplicaHost& host = *world_.replicas()[replica];
  if (!host.up() || !world_.source().up()) return false;
  const SourceMarks marks = world_.source().marks();
  const ReplicaMarks& known = marks.replicas[replica];
  return known.connected && known.received + kLittle >= marks.written &&
         host.journal()->free_blocks() * 2 > world_.options().journal_blocks;
}

bool Checks::sealed() const {
  return world_.sealer() != nullptr && world_.sealer()->old_stream().origin == origin_;
}

bool Checks::held_before(const ReplicaHost& replica, const Position& position) const {
  const JournalMeta meta = replica.stored_meta();
  return std::any_of(meta.sealed.begin(), meta.sealed.end(), [&](const SealedStream& stream) {
    return stream.stream.origin == origin_ && stream.end >= position;
  });
}

// S24: no source continues after a file that its server has torn in the middle.
void Checks::check_damage() const {
  const SourceHost& source = world_.source();
  const Position torn = world_.server().torn_at();
  if (torn.is_null() || !source.up() || !source.running() || between_streams_) return;
  const Position written = source.written();
  if (source.stream_start().file <= torn.file && written.file > torn.file)
    fail("S24", fmt::format("binlog {} is torn at {}, and the source goes on at {}", torn.file,
                            to_string(torn), to_string(written)));
}

void Checks::after_step() {
  follow_stream();
  watch_woken();
  const Position durable = durable_at_source();
  safe_ = std::max(safe_, std::min(durable, told_));
  may_release_ = std::max(may_release_, safe_);
  const SourceHost& source = world_.source();
  follow_held();
  if (sealed() && world_.sealer()->released())
    may_release_ = std::max(may_release_, world_.sealer()->sealed_at());
  if (source.up() && source.fallback_state() == FallbackState::semisync) {
    promised_ = true;
    if (!between_streams_ && world_.server().acked_too_much())
      fail("I1", "the server goes by ACKs of binlogs that were reset");
  }
  check_damage();
  follow_foreign();
  check_guarded();
  for (std::size_t i = 0; i < of_.size(); ++i) {
    check_durable_grows(i);
    check_feed(i);
    check_archive(i);
  }
}

void Checks::on_source_rejoins(bool rebuilt) {
  const PromotionWatch* const sealer = world_.sealer();
  const Position until = rebuilt || sealer == nullptr ? Position{} : sealer->sealed_at();
  std::erase_if(exposures_, [&](const Exposure& exposure) { return exposure.commit.end > until; });
}

void Checks::at_end() {
  check_ledger();
  if (!world_.source().begun()) return;
  for (const Commit& commit : world_.server().commits()) {
    if (commit.answer == Answer::acked && commit.lost && !commit.unsafe)
      fail("I1", fmt::format("commit {} was acknowledged, and the source has lost it", commit.id));
  }
}

// The end of a file is a unit after its last byte.
Position Checks::durable_at_source() const {
  const Position until = world_.binlogs().durable_until();
  if (until.is_null() || until.offset < world_.binlogs().file(until.file).data.size() ||
      !world_.server().ended(until.file))
    return until;
  return {until.file + 1, 0};
}

bool Checks::satisfied(ReplicaSet holders) const {
  for (std::size_t i = 0; i < of_.size(); ++i) {
    if (world_.replicas()[i]->impaired) holders |= ReplicaSet{1} << i;
  }
  return world_.source().rule_in_force().satisfied_by(holders);
}

}  // namespace binlane::sim

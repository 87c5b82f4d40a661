#include "model_cluster.h"
#include "dataplane/lane/source_lane_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace binlane::test {
namespace {

constexpr Endpoint kSource{1, 7100};
constexpr std::uint64_t kUs = kNanosPerMicro;
// Time passes in such steps while there is work, and at the most in such steps while there is none.
constexpr std::uint64_t kBusyStepNs = 2 * kUs;
constexpr std::uint64_t kIdleStepNs = 25 * kUs;
constexpr std::uint64_t kLongIdleStepNs = 500 * kUs;
constexpr std::uint64_t kLongIdleSteps = 400;
constexpr std::uint64_t kThreadSteps = 8;

}  // namespace

ModelCluster::ModelCluster(const ClusterOptions& options)
    : options_(options),
      random_(options.seed),
      network_(clock_, options.seed ^ 0x9e3779b97f4a7c15, 8192),
      stream_(1, std::size_t{1} << 22),
      port_(network_, kSource),
      lane_stream_(stream_),
      handshakes_(options.replicas),
      groups_left_(options.groups),
      down_until_ns_(options.replicas),
      archived_checked_(options.replicas),
      replica_crashes_left_(options.replica_crashes),
      source_crashes_left_(options.source_crashes) {
  network_.faults = options.faults;
  origin_.bytes.fill(0x77);
  for (std::uint32_t i = 0; i < options.replicas; ++i) {
    replicas_.push_back(std::make_unique<ModelReplica>(
        clock_, network_, options.seed * 16 + i, fmt::format("r{}", i), Endpoint{10 + i, 7100},
        options.journal_blocks));
    replicas_.back()->open();
  }
  start_source();
}

void ModelCluster::fail(const std::string& why) const {
  throw std::runtime_error(fmt::format("seed {}: {} (at {} us, written {}, synced {}, quorum {})",
                                       options_.seed, why, clock_.time_ns / kUs, stream_.written(),
                                       synced_, to_string(told_)));
}

void ModelCluster::start_source() {
  if (epoch_.incarnation > 0) safe_marks_.push_back({epoch_, safe_at_start_});
  ++epoch_.incarnation;
  safe_at_start_ = stream_.position_of(safe_);
  queues_ = std::make_unique<SourceLaneQueues>();
  server_ = {};
  lane_stream_.restart();
  PeerList peers;
  for (const auto& replica : replicas_)
    BL_ASSERT(peers.add({0, replica->endpoint().ipv4, replica->endpoint().udp_port}));
  source_ = std::make_unique<Source>(ports_, lane_stream_, server_, clock_, *queues_, peers);
  QuorumRule rule;
  rule.number = 1;
  rule.level = options_.level;
  rule.clause_count = 1;
  rule.clauses[0] = {(1U << options_.replicas) - 1, options_.quorum};
  source_->rebuild(epoch_, rule);
  queues_->pause.resume();
  told_ = {};
  last_quorum_ = 0;
  // Safety rule S7: whatever the file holds is synced by ourselves before it is announced.
  synced_ = stream_.written();
  synced_told_ = 0;
  syncing_ = false;
  for (std::size_t i = 0; i < handshakes_.size(); ++i) begin_handshake(i);
}

void ModelCluster::begin_handshake(std::size_t index) {
  SourceHandshake::Identity identity;
  identity.cluster_id = kCluster;
  identity.origin = origin_;
  identity.epoch = epoch_;
  identity.source_name = "s";
  identity.replica_name = replicas_[index]->name();
  identity.basename = "binlog";
  handshakes_[index].emplace(std::move(identity), stream_, safe_at_start_, safe_marks_);
}

void ModelCluster::crash_source(bool server_too) {
  port_.crash();
  source_.reset();
  queues_.reset();
  if (server_too) {
    // The tail that was not synced may be lost, in part or as a whole.
    const std::uint64_t keep = synced_ + random(stream_.written() - synced_ + 1);
    stream_.truncate(keep);
    stream_.end_file();  // a restarted server begins a new file
  }
}

std::size_t ModelCluster::turn_source() {
  if (source_ == nullptr) return 0;
  if (around_turn) around_turn(true);
  const std::size_t work = source_->do_work();
  if (around_turn) around_turn(false);
  return work;
}

void ModelCluster::run_source_control() {
  if (source_ == nullptr) return;
  SourceEvent event;
  while (queues_->events.try_pop(event)) {
    if (event.kind == SourceEvent::Kind::session_duplicate ||
        event.kind == SourceEvent::Kind::session_purged ||
        event.kind == SourceEvent::Kind::stream_stopped)
      fail(fmt::format("the lane reports event {}", static_cast<int>(event.kind)));
    begin_handshake(event.replica);
  }
  HelloMessage message;
  while (queues_->hello_in.try_pop(message)) {
    FrameView frame;
    if (decode(message.frame(), frame) != FrameFault::none) fail("a damaged HELLO got through");
    for (std::size_t i = 0; i < handshakes_.size(); ++i) {
      auto& handshake = handshakes_[i];
      if (!handshake || !handshake->on_reply(frame, message.peer, clock_.time_ns)) continue;
      if (!handshake->refusal().empty()) fail("refused: " + handshake->refusal());
      if (!handshake->session()) break;
      StartSession start;
      start.replica = static_cast<std::uint32_t>(i);
      start.peer = handshake->session()->peer;
      start.epoch = epoch_;
      start.session_id = handshake->session()->session_id;
      start.origin = handshake->session()->origin;
      start.durable = handshake->session()->durable;
      start.window_end = handshake->session()->window_end;
      start.journal_id = handshake->session()->journal_id;
      if (!SourceLaneProxy(*queues_).start_session(start)) fail("the lane takes no commands");
      ++sessions_;
      cuts_ += handshake->session()->cut > 0 ? 1 : 0;
      handshake.reset();
      break;
    }
  }
  for (std::size_t i = 0; i < handshakes_.size(); ++i) {
    auto& handshake = handshakes_[i];
    if (!handshake || !handshake->poll(clock_.time_ns, message)) continue;
    message.port = 0;
    message.peer = replicas_[i]->endpoint();
    SourceLaneProxy(*queues_).send_hello(message);
  }
  if (synced_ != synced_told_ && SourceLaneProxy(*queues_).set_synced(stream_.position_of(synced_)))
    synced_told_ = synced_;
}

void ModelCluster::write_and_sync() {
  if (source_down_until_ns_ > 0) return;  // the server is down with it, or about to be restarted
  if (groups_left_ > 0 && clock_.time_ns >= next_group_ns_) {
    --groups_left_;
    group_.resize(1 + random(options_.largest_group));
    for (std::byte& byte : group_) byte = static_cast<std::byte>(random_());
    stream_.append(group_);
    if (network_.roll(options_.file_ends)) stream_.end_file();
    next_group_ns_ = clock_.time_ns + random(2 * options_.group_pause_ns);
  }
  // The server's own fsync, which takes a while.
  if (syncing_ && clock_.time_ns >= sync_done_ns_) {
    synced_ = sync_started_;
    syncing_ = false;
  }
  if (!syncing_ && synced_ < stream_.written()) {
    syncing_ = true;
    sync_started_ = stream_.written();
    sync_done_ns_ = clock_.time_ns + 80 * kUs + random(300 * kUs);
  }
}

// A crash of the source is worth most while there is a tail that was not synced and that replicas
// have already.
std::uint64_t ModelCluster::crash_odds() const {
  if (groups_left_ == 0) return 2000;
  return syncing_ && quorum_moves_ > 0 ? 300 : 10'000;
}

void ModelCluster::crash_and_restart() {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    ModelReplica& replica = *replicas_[i];
    if (!replica.up() && clock_.time_ns >= down_until_ns_[i]) replica.open();
    if (replica.up() && replica_crashes_left_ > 0 && random(4000) == 0) {
      --replica_crashes_left_;
      replica.crash();
      down_until_ns_[i] = clock_.time_ns + random(20 * kNanosPerMilli);
    }
  }
  if (source_ == nullptr && clock_.time_ns >= source_down_until_ns_) {
    source_down_until_ns_ = 0;
    start_source();
  } else if (source_ != nullptr && source_crashes_left_ > 0 && random(crash_odds()) == 0) {
    crash_source(source_crashes_left_ % 2 == 1);
    --source_crashes_left_;
    source_down_until_ns_ = clock_.time_ns + 1 + random(5 * kNanosPerMilli);
  }
}

// I1, I2: what the server was told is found by recovery on the platters of a quorum, now.
void ModelCluster::check_quorum() {
  if (source_ == nullptr || server_.told == told_) return;
  if (server_.told < told_) fail("the quorum went back");
  told_ = server_.told;
  ++quorum_moves_;
  const auto linear = stream_.find(told_);
  if (!linear || *linear > stream_.written()) fail("a quorum beyond the stream");
  safe_ = std::max(safe_, std::min(*linear, synced_));
  if (options_.level != AckLevel::durable || random(8) != 0) return;
  std::uint32_t holders = 0;
  for (const auto& replica : replicas_) {
    // A replica may hold more than this source knows of, of the same stream.
    if (replica->durable_on_platter() >= told_) ++holders;
  }
  if (holders < options_.quorum) fail(fmt::format("{} hold what was told", holders));
}

// I7, I8: an archive is a prefix of the source's stream, and nothing in it was not synced there.
void ModelCluster::check_archives() {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const ModelReplica& replica = *replicas_[i];
    if (replica.archive_end().is_null()) continue;
    const auto end = stream_.find(replica.archive_end());
    if (!end) fail("an archive ends where the stream never was");
    if (*end > synced_)
      fail(fmt::format("{} archived {}, synced is {}", replica.name(), *end, synced_));
    for (std::uint64_t& at = archived_checked_[i]; at < *end;) {
      StreamSlice slice;
      const std::uint64_t room = std::min<std::uint64_t>(compared_.size(), *end - at);
      if (stream_.read(at, MutableBytes(compared_).first(room), slice) != 0)
        fail("the stream cannot be read");
      if (!slice.file_end) {
        const auto& file = replica.archive().at(slice.at.file);
        const auto archived = ConstBytes(file).subspan(slice.at.offset, slice.length);
        if (!std::equal(archived.begin(), archived.end(), compared_.begin()))
          fail(fmt::format("{} archived other bytes at {}", replica.name(), to_string(slice.at)));
      }
      at += slice.length;
    }
  }
}

void ModelCluster::watch_stall() {
  if (source_ == nullptr || options_.stall_limit_ns == 0) return;
  const std::uint64_t quorum = stream_.find(told_).value_or(0);
  std::uint32_t connected = 0;
  for (const auto& handshake : handshakes_) connected += handshake ? 0 : 1;
  if (quorum != last_quorum_ || quorum == stream_.written() || connected < options_.quorum) {
    last_quorum_ = quorum;
    waiting_since_ns_ = clock_.time_ns;
    return;
  }
  longest_stall_ns_ = std::max(longest_stall_ns_, clock_.time_ns - waiting_since_ns_);
  if (longest_stall_ns_ > options_.stall_limit_ns) fail("stalled");
}

bool ModelCluster::complete() const {
  if (groups_left_ > 0 || source_ == nullptr || synced_ != stream_.written()) return false;
  if (replica_crashes_left_ > 0 || source_crashes_left_ > 0) return false;
  const Position end = stream_.position_of(stream_.written());
  return std::all_of(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
    return replica->up() && replica->journal()->durable() == end && replica->archive_end() == end;
  });
}

void ModelCluster::advance(std::size_t work) {
  idle_steps_ = work > 0 ? 0 : idle_steps_ + 1;
  if (work > 0) {
    clock_.time_ns += kBusyStepNs;
    return;
  }
  std::uint64_t next_ns =
      clock_.time_ns + (idle_steps_ > kLongIdleSteps ? kLongIdleStepNs : kIdleStepNs);
  next_ns = std::min(next_ns, network_.next_due_ns());
  for (const auto& replica : replicas_) next_ns = std::min(next_ns, replica->disk().next_due_ns());
  if (groups_left_ > 0 && source_ != nullptr) next_ns = std::min(next_ns, next_group_ns_);
  if (syncing_) next_ns = std::min(next_ns, sync_done_ns_);
  clock_.time_ns = std::max(clock_.time_ns + kBusyStepNs, next_ns);
}

void ModelCluster::step() {
  ++steps_;
  write_and_sync();
  std::size_t work = 0;
  // Hosts turn in any order, and not all of them each time.
  const std::size_t hosts = replicas_.size() + 1;
  const std::size_t first = random(hosts);
  for (std::size_t i = 0; i < hosts; ++i) {
    const std::size_t host = (first + i) % hosts;
    if (random(8) == 0) {
      ++work;  // it is late; time goes on in small steps
    } else if (host == replicas_.size()) {
      work += turn_source();
    } else {
      if (around_turn) around_turn(true);
      work += replicas_[host]->turn();
      if (around_turn) around_turn(false);
    }
  }
  check_quorum();
  watch_stall();
  if (work == 0 || steps_ % kThreadSteps == 0) {
    run_source_control();
    for (const auto& replica : replicas_) replica->run_threads(origin_);
    check_archives();
  }
  crash_and_restart();
  advance(work);
}

void ModelCluster::run() {
  const std::uint64_t end_ns = clock_.time_ns + options_.time_limit_ns;
  while (!complete()) {
    step();
    if (clock_.time_ns > end_ns) {
      std::string marks;
      for (const auto& replica : replicas_) {
        marks += fmt::format(" {}:", replica->name());
        marks += replica->up() ? fmt::format("{}/{}", to_string(replica->journal()->durable()),
                                             to_string(replica->archive_end()))
                               : "down";
      }
      fail("not complete in time:" + marks);
    }
  }
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (archived_checked_[i] != stream_.written()) fail("an archive was not checked to its end");
  }
}

}  // namespace binlane::test

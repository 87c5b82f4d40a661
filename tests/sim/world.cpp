#include "world.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "violation.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kUs = kNanosPerMicro;
// A step is this long while there is work, and grows while there is none.
constexpr std::uint64_t kBusyStepNs = 4 * kUs;
constexpr std::uint64_t kIdleStepNs = 25 * kUs;
constexpr std::uint32_t kMostIdleDoublings = 6;
// The most files that a run near the end of the numbering has before that end.
constexpr std::uint64_t kMostFilesBefore = 40;
constexpr std::uint64_t kOperatorsNs = 500 * kNanosPerMilli;
// After the last fault all must be well within this time.
constexpr std::uint64_t kHealingNs = 90 * kNanosPerSecond;
constexpr std::uint64_t kFirstFaultNs = 300 * kNanosPerMilli;
// A FENCED source looks at its server at least this often (SourceHost).
constexpr std::uint64_t kFencedLookNs = kNanosPerSecond;

Trace* log_trace = nullptr;

void log_to_trace(log::Level level, std::string_view event, std::string_view message) {
  if (log_trace == nullptr || level == log::Level::debug) return;
  log_trace->line(fmt::format("{}: {}", event, message));
}

}  // namespace

WorldOptions options_of_seed(std::uint64_t seed) {
  Random random(seed);
  WorldOptions options;
  options.seed = seed;
  options.replicas = static_cast<std::uint32_t>(random.between(3, 5));
  options.quorum = static_cast<std::uint32_t>(random.between(1, options.replicas - 1));
  options.journal_blocks = random.one_in(3) ? 48 : 128;
  // In every second run the servers are MySQL.
  if (random.one_in(2)) {
    options.server.kind = ServerKind::mysql;
  } else if (random.one_in(2)) {
    options.server.kind = ServerKind::mariadb_11_8;
  }
  options.server.enabled_at_start = !random.one_in(4);
  options.server.max_file_bytes = random.between(4, 64) * 1024;
  options.server.group_pause_ns = random.between(5, 60) * kNanosPerMilli;
  options.server.largest_rows = random.one_in(4) ? 8000 : 800;
  // Some servers' binlogs reach the numbers that MariaDB compares wrongly. [S17]
  if (random.one_in(8))
    options.server.first_file =
        static_cast<std::uint32_t>(BinlogNumbers::kLastNumber - random.below(kMostFilesBefore));
  const std::uint64_t mode = random.below(6);
  if (mode < 2) options.mode = mode == 0 ? FallbackMode::block : FallbackMode::fail;
  if (random.one_in(4)) options.degraded_release = DegradedRelease::hold;
  // MariaDB's default, which a source's control replaces.
  options.server.after_commit_at_start = random.one_in(3);
  options.source_may_rejoin = random.one_in(2);
  options.server.orders_commits = !random.one_in(3);
  return options;
}

World::World(const WorldOptions& options)
    : options_(options), random_(options.seed ^ 0x6c616e65), trace_(clock_) {
  begin_ns_ = clock_.time_ns;
  trace_.print(options.print);
  trace_.leave_out(ledger_prefix());
  log_trace = &trace_;
  log::set_sink(&log_to_trace);
  calls_ = std::make_unique<HostCalls>(clock_, random_.fork());
  network_ = std::make_unique<test::FakeNetwork>(clock_, random_.next(), 2048);
  network_->drop = [this](const test::FakeNetwork::Packet& packet) {
    if (!listens(packet.to)) return true;
    return std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) {
      return (block.from == 0 || block.from == packet.from.ipv4) &&
             (block.to == 0 || block.to == packet.to.ipv4);
    });
  };
  SourceHostOptions source;
  source.rule.number = 1;
  source.rule.clause_count = 1;
  source.rule.clauses[0] = {(1U << options.replicas) - 1, options.quorum};
  source.fallback.timeout_ns = 2 * kNanosPerSecond;
  source.fallback.server_timeout_ns = options.server.timeout_ns;
  source.fallback.recover_backoff_max_ns = 2 * kNanosPerSecond;
  source.fallback.mode = options.mode;
  source.degraded_release = options.degraded_release;
  source.ledger_path = ledger_prefix() + "ledger";
  for (std::uint32_t i = 0; i < options.replicas; ++i)
    source.replicas.push_back({fmt::format("r{}", i), 0, Endpoint{10 + i, 7100}});
  // Each host may become the source, with its own address.
  PeerList sources;
  bool listed = sources.add({0, source.local.ipv4, 0});
  for (const SessionManager::Replica& replica : source.replicas)
    listed = sources.add({0, replica.address.ipv4, 0}) && listed;
  BL_ASSERT(listed);
  if (options.source_may_rejoin)
    source_own_ = std::make_unique<ReplicaHost>(
        clock_, *network_, random_.fork(), trace_, source.name,
        Endpoint{source.local.ipv4, kOtherPort}, sources, options.journal_blocks);
  source_ = std::make_unique<SourceHost>(clock_, *network_, random_.fork(), trace_, source,
                                         options.server, source_own_.get());
  for (std::uint32_t i = 0; i < options.replicas; ++i)
    replicas_.push_back(std::make_unique<ReplicaHost>(
        clock_, *network_, random_.fork(), trace_, source.replicas[i].name,
        source.replicas[i].address, sources, options.journal_blocks));
  make_candidates();
  replica_restarts_.resize(replicas_.size());
  checks_ = std::make_unique<Checks>(*this);
  source_->start_machine();
  for (auto& replica : replicas_) replica->start();
  if (!options.scripted)
    plan_ = make_fault_plan(random_, clock_.time_ns + kFirstFaultNs,
                            clock_.time_ns + random_.between(2, 8) * kNanosPerSecond);
}

World::~World() {
  log::set_sink(nullptr);
  log_trace = nullptr;
  SourceHost::fail_ledger(0);
}

// Processes run seeds side by side, so each needs ledgers of its own.
std::string World::ledger_prefix() const {
  return fmt::format("{}/binlane-sim.{}.", options_.directory, ::getpid());
}

TemperamentCounts World::temperament_counts() const {
  TemperamentCounts counts = server().temperament_counts();
  for (const auto& candidate : candidates_) counts += candidate->server().temperament_counts();
  return counts;
}

std::uint64_t World::virtual_ns() const {
  return clock_.time_ns - begin_ns_;
}

bool World::listens(const Endpoint& endpoint) const {
  if (endpoint.ipv4 == source_->endpoint().ipv4) return source_->up();
  for (const auto& candidate : candidates_) {
    if (candidate->endpoint() == endpoint) return candidate->up();
  }
  return std::any_of(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
    return replica->endpoint() == endpoint && replica->up();
  });
}

void World::step() {
  std::size_t work = 0;
  // Hosts take their turns in any order, and not all of them in each step.
  const std::size_t hosts = replicas_.size() + 1;
  const std::size_t first = random_.below(hosts);
  for (std::size_t i = 0; i < hosts; ++i) {
    const std::size_t host = (first + i) % hosts;
    // A host that is left out takes its turn in the next step.
    if (!random_.one_in(16)) {
      work += host == replicas_.size() ? source_->turn() : replicas_[host]->turn();
    }
  }
  if (source_own_) work += source_own_->turn();
  for (auto& candidate : candidates_) {
    if (quiet_) candidate->server().busy = false;
    work += candidate->turn();
  }
  checks_->after_step();
  for (auto& checks : promotion_checks_) {
    if (checks) checks->after_step();
  }
  run_faults();
  restarts();
  promotions();
  if (clock_.time_ns >= next_operators_ns_) {
    next_operators_ns_ = clock_.time_ns + kOperatorsNs;
    if (!options_.scripted) operators();
  }
  advance(work);
}

void World::advance(std::size_t work) {
  if (work > 0) {
    idle_steps_ = 0;
    clock_.time_ns += kBusyStepNs;
    return;
  }
  std::uint64_t next_ns =
      clock_.time_ns + (kIdleStepNs << std::min(idle_steps_ / 4, kMostIdleDoublings));
  ++idle_steps_;
  // What is due already has had its turn, and waits for something else: a peer that is stopped, or
  // an ACK. It must not keep time from passing.
  const auto wake = [&](std::uint64_t due_ns) {
    if (due_ns > clock_.time_ns) next_ns = std::min(next_ns, due_ns);
  };
  wake(network_->next_due_ns());
  wake(source_->next_due_ns());
  if (source_own_) wake(source_own_->next_due_ns());
  for (const auto& replica : replicas_) wake(replica->next_due_ns());
  for (const auto& candidate : candidates_) wake(candidate->next_due_ns());
  clock_.time_ns = std::max(clock_.time_ns + kBusyStepNs, next_ns);
}

void World::run_for(std::uint64_t length_ns) {
  for (const std::uint64_t end_ns = clock_.time_ns + length_ns; clock_.time_ns < end_ns;) step();
}

void World::run_until(const std::function<bool()>& condition, std::uint64_t most_ns,
                      const std::string& what) {
  const std::uint64_t end_ns = clock_.time_ns + most_ns;
  while (!condition()) {
    if (clock_.time_ns > end_ns)
      throw Violation(fmt::format("liveness: not within {} s: {}; {}", most_ns / kNanosPerSecond,
                                  what, describe()));
    step();
  }
}

// All hosts run and are in step, and semi-sync is ON with nothing left to account for.
bool World::healthy() const {
  if (promotion_asked_) return well_promoted();
  if (!server().up() || !source_->up() || !source_->running()) return false;
  // At the end of the numbering the state is never SEMISYNC again, and the interval remains open.
  const bool over =
      server().compares_names_as_text() && binlogs().last() >= BinlogNumbers::kLastNumber;
  if (source_->fallback_state() != (over ? FallbackState::async : FallbackState::semisync))
    return false;
  if (!over && !source_->ledger()->open_intervals().empty()) return false;
  if (!over && (server().read_only() || server().read_only_pending())) return false;
  const Position end = server().written();
  return std::all_of(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
    return replica->up() && !replica->damaged() && replica->archive_end() == end;
  });
}

std::string World::describe() const {
  std::string text = fmt::format(
      "server {} written {} sync {}, source {} {} \"{}\" told {}", server().up() ? "up" : "down",
      to_string(server().written()), to_string(binlogs().durable_until()),
      source_->up() ? "up" : "down", to_string(source_->fallback_state()), source_->problem(),
      to_string(checks_->told()));
  const SourceMarks marks = source_->up() ? source_->marks() : SourceMarks{};
  text += fmt::format(" lane: written {} synced {} quorum {} released {}",
                      to_string(marks.written_at), to_string(marks.synced_at),
                      to_string(marks.quorum_at), to_string(marks.released_at));
  if (source_->ledger() != nullptr)
    text += fmt::format(" open intervals {} {}", source_->ledger()->open_intervals().size(),
                        source_->ledger()->failure());
  for (const auto& replica : replicas_) {
    text += fmt::format("; {}{}{}", replica->name(), replica->up() ? "" : " down",
                        replica->impaired ? " impaired" : "");
    if (replica->up())
      text += fmt::format(" durable {} released {} archived {}{}",
                          to_string(replica->journal()->durable()),
                          to_string(replica->journal()->released()),
                          to_string(replica->archive_end()), replica->damaged() ? " damaged" : "");
    if (!replica->problem().empty()) text += " problem: " + replica->problem();
    if (!replica->refusal().empty()) text += " refusal: " + replica->refusal();
  }
  for (const auto& view : source_->replicas()) {
    if (!view.refusal.empty()) text += fmt::format("; {}: {}", view.name, view.refusal);
  }
  if (candidate_ == nullptr) return text;
  const PromotionView view = candidate_->view();
  text +=
      fmt::format("; candidate {} term {} phase {} sealed {} waits for \"{}\" refusal \"{}\"",
                  candidate_->own().name(), candidate_->promotion().term(),
                  static_cast<int>(candidate_->phase()),
                  to_string(candidate_->promotion().sealed_at()), view.waiting_for, view.refusal);
  if (!candidate_->begun()) return text;
  text += fmt::format(" its source: {} \"{}\" written {}", to_string(candidate_->fallback_state()),
                      candidate_->problem(), to_string(candidate_->server().written()));
  for (const auto& replica : candidate_->replicas())
    if (!replica.refusal.empty()) text += fmt::format("; {}: {}", replica.name, replica.refusal);
  return text;
}

void World::run() {
  // Until the last fault has begun and ended.
  while (next_fault_ < plan_.size() || !lasting_.empty() || server_restart_.wanted() ||
         source_restart_.wanted() ||
         std::any_of(replica_restarts_.begin(), replica_restarts_.end(),
                     [](const Restart& restart) { return restart.wanted(); }))
    step();
  heal();
  if (promotion_asked_ && !ends_promoted()) return checks_->at_end();
  run_for(500 * kNanosPerMilli);  // commits continue for a while without faults
  server().busy = false;
  quiet_ = true;
  // Half an event may say that it is longer than all that follows it. Until the file ends commits
  // run into the timeout, which an operator looks into: it shows where the file ends (S24).
  if (server().up() && server().torn_at().file == server().written().file) server().flush_logs();
  run_until([this] { return healthy(); }, kHealingNs, "everything well again");
  // A FENCED source notices what its server has released only at its next look.
  if (promotion_asked_) run_for(kFencedLookNs);
  checks_->at_end();
}

}  // namespace binlane::sim

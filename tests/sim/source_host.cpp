#include "source_host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "control/config/quorum_text.h"
#include "control/source/source_records.h"
#include "replica_host.h"

namespace binlane::sim {
namespace {

// The length of a turn of the daemon's control thread.
constexpr std::uint64_t kControlTurnNs = 5 * kNanosPerMilli;
constexpr std::uint64_t kAckerServerId = 4'000'000'000;

int ledger_failing = 0;  // errno of every write of a ledger; 0: writes succeed

std::vector<std::string> names_of(const std::vector<SessionManager::Replica>& replicas) {
  std::vector<std::string> names;
  for (const SessionManager::Replica& replica : replicas) names.push_back(replica.name);
  return names;
}

LedgerIo ledger_io() {
  return {[](int descriptor, const void* data, std::size_t length) -> ssize_t {
            if (ledger_failing == 0) return ::write(descriptor, data, length);
            errno = ledger_failing;
            return -1;
          },
          [](int) { return 0; },
          [](int, std::uint64_t, std::uint64_t) {
            errno = ledger_failing;
            return ledger_failing == 0 ? 0 : -1;
          }};
}

}  // namespace

// One process: created at a start, and destroyed when it is killed.
struct SourceHost::Daemon {
  Daemon(SourceHost& host, const Config& config)
      : server(host.clock_, host.server_, host.binlogs_, host.standby_ ? &*host.standby_ : nullptr),
        lane(host.clock_, host.network_, host.options_.local, host.folders_,
             SessionManager::addresses_of(host.options_.replicas)),
        records(host.state_medium(), host.options_.ledger_path, ledger_io()),
        // A turn takes no virtual time, so nothing is waited for within one.
        read_only(server, host.read_only_mark_, host.clock_, [](std::uint64_t) { return false; }),
        parts{server,  lane,      host.folders_,      host.clock_,  *host.role_,
              records, read_only, host.degrade_mark_, registration, host.options_.replicas},
        controller(config, parts, beside(host)) {
    lane.use_drain(server.dump());
    server.start([this](const ServerRun& run) { return registration.ask(run); });
  }

  static std::optional<RoleController::Beside> beside(SourceHost& host) {
    if (host.own_ == nullptr) return std::nullopt;
    return RoleController::Beside{host.own_->side(), *host.standby_, *host.stopped_};
  }

  RegistrationGate<ServerRun> registration;
  SimServer server;
  SimLane lane;
  SourceRecords records;
  ReadOnlyKeeper read_only;
  SourceParts parts;
  RoleController controller;
  PauseDetector pauses;
};

SourceHost::SourceHost(test::VirtualClock& clock, test::FakeNetwork& network, Random random,
                       Trace& trace, SourceHostOptions options, const MysqldOptions& server,
                       ReplicaHost* own)
    : clock_(clock),
      network_(network),
      random_(random),
      trace_(trace),
      options_(std::move(options)),
      own_(own),
      folders_(own != nullptr ? own->files() : no_files_),
      server_(clock, random_.fork(), trace, binlogs_, server),
      promotion_(trace, own != nullptr ? own->files() : no_files_) {
  folders_.mount(kBinlogFolder, binlogs_);
  ::unlink(options_.ledger_path.c_str());
  // The daemon's first start was long ago; it has begun the ledger.
  const Ledger begun(options_.ledger_path, LedgerIo::system());
  if (own_ != nullptr) {
    standby_.emplace(clock, *own_, server_, binlogs_, options_.standby);
    stopped_.emplace(*standby_);
    own_->set_other_side(this);
  }
  open_role();
  seen_role_ = role_->state().role;
}

SourceHost::~SourceHost() {
  if (own_ != nullptr) own_->set_other_side(nullptr);
  end();
  ::unlink(options_.ledger_path.c_str());
}

void SourceHost::fail_ledger(int error) {
  ledger_failing = error;
}

bool SourceHost::ledger_fails() {
  return ledger_failing != 0;
}

void SourceHost::open_role() {
  role_.emplace(RoleMedium{"role.state", [this] { return role_bytes_; },
                           [this](ConstBytes bytes) {
                             ++role_writes_;
                             if (role_failing()) return EIO;
                             role_bytes_.emplace(bytes.begin(), bytes.end());
                             return 0;
                           }},
                options_.standby ? HostRole::standby : HostRole::source);
}

StateMedium SourceHost::state_medium() {
  return {"source.state", [this] { return state_bytes_; },
          [this](ConstBytes bytes) {
            if (state_failing) return EIO;
            state_bytes_.emplace(bytes.begin(), bytes.end());
            state_ = decode_source_state(bytes);
            BL_ASSERT(state_.has_value());
            return 0;
          }};
}

Config SourceHost::config(const SourceHostOptions& options) const {
  Config config;
  config.name = options.name;
  config.cluster = kClusterName;
  config.data_dir = kDataFolder;
  config.source.emplace();
  config.source->standby = options.standby;
  SourceConfig& source = *config.source;
  source.server_socket = "mysqld.sock";
  source.acker_server_id = kAckerServerId;
  source.quorum = options.rule;
  source.quorum_text = to_string(options.rule, names_of(options.replicas));
  source.timeout_ms = options.fallback.timeout_ns / kNanosPerMilli;
  source.server_timeout_ms = options.fallback.server_timeout_ns / kNanosPerMilli;
  source.recover_after_ms = options.fallback.recover_after_ns / kNanosPerMilli;
  source.recover_backoff_max_ms = options.fallback.recover_backoff_max_ns / kNanosPerMilli;
  source.caught_up_bytes = options.fallback.caught_up_bytes;
  source.fallback = options.fallback.mode;
  source.other_ackers = options.fallback.other_ackers;
  source.degraded_release = options.degraded_release;
  source.wait_point = options.wait_point;
  for (const SessionManager::Replica& replica : options.replicas) {
    source.replicas.emplace_back();
    source.replicas.back().name = replica.name;
    source.replicas.back().address = replica.address;
  }
  if (own_ != nullptr) config.replica.emplace();
  return config;
}

Status SourceHost::change(const std::function<void(SourceHostOptions&)>& how) {
  SourceHostOptions next = options_;
  how(next);
  if (up()) {
    if (Status done = daemon_->controller.change(config(next)); !done.is_ok()) return done;
    rule_changes_ = rule_changes_ || !(next.rule == options_.rule);
  }
  options_ = std::move(next);
  return Status::ok();
}

// While the rule changes, commits may have been acknowledged by the old one alone.
void SourceHost::watch_rule() {
  if (!rule_changes_) return;
  if (role_->state().rule != to_string(options_.rule, names_of(options_.replicas))) return;
  rule_in_force_ = options_.rule;
  rule_changes_ = false;
}

void SourceHost::start() {
  BL_ASSERT(!up());
  if (own_ != nullptr) return own_->start();
  make();
  begin();
}

void SourceHost::make() {
  BL_ASSERT(!up());
  rule_in_force_ = options_.rule;
  rule_changes_ = false;
  state_ = SourceState{};
  if (state_bytes_) state_ = decode_source_state(*state_bytes_);
  BL_ASSERT(state_.has_value());
  open_role();
  ++starts_;
  degraded_ = false;
  control_ns_ = clock_.time_ns;
  daemon_ = std::make_unique<Daemon>(*this, config(options_));
  daemon_->lane.told = [this](Position position) {
    if (told) told(position);
  };
  daemon_->server.turning_off = [this] {
    if (turning_off) turning_off();
  };
  daemon_->controller.on_ended([this](const char*, const std::string& refusal) {
    if (rejoining()) asked_rejoin_->refusal = refusal;
  });
}

void SourceHost::begin() {
  trace_.note("source daemon starts", options_.local.ipv4);
  daemon_->controller.begin();
  if (own_ == nullptr) return;
  if (promoter()->running()) {
    ++resumed_;
    trace_.note("promotion resumed", options_.local.ipv4, role_->state().promotion.term,
                static_cast<std::uint64_t>(role_->state().promotion.step));
  }
  watch_role();
}

void SourceHost::kill() {
  if (own_ != nullptr) return own_->kill();
  end();
}

void SourceHost::end() {
  if (!up()) return;
  trace_.note("source daemon killed", options_.local.ipv4);
  degraded_ = degraded();
  incarnations_ += daemon_->controller.incarnations();
  daemon_.reset();
  asked_rejoin_.reset();  // it is on no record
}

void SourceHost::cut_power(Random& random) {
  kill();
  if (server_.up()) server_.kill();
  binlogs_.cut_power(random);
  if (own_ != nullptr) own_->cut_power();
}

void SourceHost::start_server() {
  const bool writes = !standby_ || !standby_->is_replica();
  if (writes && !server_.up()) server_.start();
}

void SourceHost::start_machine() {
  start_server();
  if (!up()) start();
}

void SourceHost::pause_until(std::uint64_t until_ns) {
  paused_until_ns = until_ns;
  if (own_ != nullptr) own_->paused_until_ns = until_ns;
}

std::size_t SourceHost::turn() {
  std::size_t work = clock_.time_ns < server_.paused_until_ns ? 0 : server_.turn();
  const std::uint64_t stopped_ns = own_ != nullptr ? own_->paused_until_ns : 0;
  if (!up() || clock_.time_ns < std::max(paused_until_ns, stopped_ns)) return work;
  work += daemon_->lane.do_work();
  daemon_->server.dump().turn();
  if (clock_.time_ns >= control_ns_) control();
  return work;
}

void SourceHost::control() {
  control_ns_ = clock_.time_ns + 1 + random_.below(kControlTurnNs);
  daemon_->controller.turn(clock_.time_ns, daemon_->pauses.turn(clock_.time_ns));
  polled_ns_ = std::max(polled_ns_, daemon_->server.polled_ns());
  polled_settled_ = daemon_->server.polled_settled();
  watch_rule();
  if (own_ != nullptr) watch_role();
}

// --- with a replica's side -------------------------------------------------------------------

void SourceHost::promote(const QuorumRule& rule) {
  BL_ASSERT(own_ != nullptr && !in_progress() && !begun());
  promotion_.begin();
  asked_ = true;
  const Status changed = change([&rule](SourceHostOptions& options) { options.rule = rule; });
  BL_ASSERT(changed.is_ok());
  if (!up()) return;  // nobody takes the request
  const Status asked = daemon_->controller.promote(false, true);
  BL_ASSERT(asked.is_ok());
  watch_role();
}

bool SourceHost::in_progress() const {
  if (own_ == nullptr) return false;
  if (up()) return promoter()->running();
  return resume_of(role_->state().promotion.step) != PromotionResume::nothing;
}

const Promoter* SourceHost::promoter() const {
  return up() ? daemon_->controller.promoter() : nullptr;
}

PromotionView SourceHost::view() const {
  if (promoter() != nullptr) return promoter()->view();
  PromotionView nothing;
  nothing.refusal = "this host's daemon is not there";
  return nothing;
}

std::vector<SessionManager::ReplicaView> SourceHost::peers() const {
  return promoter() != nullptr ? promoter()->peers() : std::vector<SessionManager::ReplicaView>();
}

void SourceHost::rejoin(const RejoinOptions& options) {
  BL_ASSERT(deposed() && !rejoining());
  if (options.rebuilt) standby_->rebuild();
  asked_rejoin_ = {options, {}};
  const Status asked = daemon_->controller.rejoin(options);
  BL_ASSERT(asked.is_ok());
}

// What the record of the role says after a turn.
void SourceHost::watch_role() {
  promotion_.observe(role_->state(), *promoter());
  const HostRole before = std::exchange(seen_role_, role_->state().role);
  if (before == HostRole::standby && seen_role_ == HostRole::source) {
    rule_in_force_ = options_.rule;
    rule_changes_ = false;
    if (on_active) on_active();
  }
  if (before != HostRole::fenced || seen_role_ != HostRole::standby) return;
  const bool rebuilt = asked_rejoin_->options.rebuilt;
  trace_.note("rejoined", options_.local.ipv4, rebuilt ? 1 : 0);
  if (on_rejoined) on_rejoined(rebuilt);
  standby_->become_replica();
  promotion_.forget();
  asked_ = false;
  asked_rejoin_.reset();
  ++rejoins_;
}

// --- for checks ------------------------------------------------------------------------------

void SourceHost::fence(const FenceCause& cause) {
  daemon_->controller.fence_source(cause);
}

const SourceIncarnation* SourceHost::incarnation() const {
  return up() ? daemon_->controller.incarnation() : nullptr;
}

const WriteGuard& SourceHost::guard() const {
  static const WriteGuard kOpen;
  return up() ? daemon_->controller.guard() : kOpen;
}

std::string SourceHost::problem() const {
  return up() ? daemon_->controller.problem() : std::string();
}

FallbackState SourceHost::fallback_state() const {
  return running() ? incarnation()->fallback().state() : FallbackState::starting;
}

bool SourceHost::degraded() const {
  if (!up()) return degraded_;
  return incarnation() != nullptr &&
         (incarnation()->degraded_told() || incarnation()->fallback().degraded());
}

bool SourceHost::blocked() const {
  return incarnation() != nullptr && incarnation()->fallback().blocked();
}

const Ledger* SourceHost::ledger() const {
  return up() ? &daemon_->records.ledger() : nullptr;
}

SourceMarks SourceHost::marks() const {
  return up() ? std::as_const(daemon_->lane).queues().marks.load() : SourceMarks{};
}

Position SourceHost::written() const {
  return up() ? daemon_->lane.written() : Position{};
}

std::vector<SessionManager::ReplicaView> SourceHost::replicas() const {
  if (incarnation() == nullptr) return {};
  return incarnation()->sessions().view();
}

std::uint64_t SourceHost::incarnations() const {
  return incarnations_ + (up() ? daemon_->controller.incarnations() : 0);
}

}  // namespace binlane::sim

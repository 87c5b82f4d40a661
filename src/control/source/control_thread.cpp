#include "control/source/control_thread.h"

#include <memory>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/wire_log.h"
#include "control/replica/replica_side.h"

namespace binlane {
namespace {

constexpr std::uint64_t kTurnNs = 5 * kNanosPerMilli;

}  // namespace

std::string state_file_path(const Config& config) {
  return config.data_dir + "/source.state";
}
std::string ledger_path(const Config& config) {
  return config.data_dir + "/ledger.jsonl";
}
std::string role_file_path(const Config& config) {
  return config.data_dir + "/role.state";
}

// Without a replica's side nobody asks.
SqlStandby::FedArchive archive_of(ReplicaSide* replica) {
  return {[replica] { return replica->fed_gtids(); },
          [replica] { return replica->archived_kind(); },
          [replica] { return replica->parts()->limit->whole_groups(); }};
}

ControlThread::ControlThread(const Config& config, SourceLane& lane,
                             std::vector<SessionManager::Replica> replicas, RoleFile& role,
                             ReplicaSide* replica)
    : role_(role),
      server_(*config.source),
      lane_(lane),
      records_(StateMedium::file(state_file_path(config)), ledger_path(config), LedgerIo::system()),
      read_only_mark_(config.data_dir, "read_only.mark"),
      degrade_mark_(config.data_dir, "degrade.mark"),
      read_only_(server_, read_only_mark_, time_,
                 [this](std::uint64_t length_ns) { return mailbox_.wait(length_ns); }),
      standby_(config, server_.commands(), archive_of(replica)),
      parts_{server_,  lane,       folders_,      time_,         role,
             records_, read_only_, degrade_mark_, registration_, std::move(replicas)},
      controller_(config, parts_,
                  replica != nullptr
                      ? std::optional(RoleController::Beside{*replica, standby_, stopped_})
                      : std::nullopt) {
  lane_.use_drain(server_.dump());
}

ControlThread::~ControlThread() {
  stop();
}

void ControlThread::start() {
  BL_ASSERT(!thread_.joinable());
  publish();  // so that a reader before the first turn sees this host's role
  server_.start([this](const ServerRun& run) {
    const auto registration = registration_.ask(run);
    if (!registration) mailbox_.wake();
    return registration;
  });
  pause_watch_.start();
  thread_ = std::thread([this] { run(); });
}

void ControlThread::stop() {
  mailbox_.close();
  if (!thread_.joinable()) return;
  thread_.join();
  pause_watch_.stop();
  if (lane_.quiesce() && lane_.bound()) lane_.detach_server();
  server_.stop();
}

void ControlThread::run() {
  const HeartbeatScope alive(heart_);
  controller_.begin();
  while (!mailbox_.closed()) {
    still_alive();
    mailbox_.serve([this] { publish(); });  // whoever gets an answer finds its effect in the view
    controller_.turn(time_.now_ns(), pause_watch_.take());
    log::tell_suppressed();
    publish();
    mailbox_.wait(kTurnNs);
  }
}

void ControlThread::publish() {
  SourceView view;
  controller_.show(view);
  const std::lock_guard lock(view_mutex_);
  view_ = std::move(view);
}

SourceView ControlThread::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

Status ControlThread::request_change(const Config& next) {
  return mailbox_.call([this, next] { return controller_.change(next); });
}

Status ControlThread::request_degrade() {
  return mailbox_.call([this] { return controller_.degrade(); });
}

Status ControlThread::request_resume() {
  return mailbox_.call([this] { return controller_.resume(); });
}

Status ControlThread::request_promotion(bool dry_run, bool from_live_source) {
  return mailbox_.call(
      [this, dry_run, from_live_source] { return controller_.promote(dry_run, from_live_source); });
}

Status ControlThread::request_rejoin(const RejoinOptions& options) {
  return mailbox_.call([this, options] { return controller_.rejoin(options); });
}

Result<ControlThread::Fenced> ControlThread::request_fence(const std::string& reason,
                                                           bool kill_server) {
  // Shared, because the answer may come after the caller gave up waiting for it.
  auto fenced = std::make_shared<Fenced>();
  Status done = mailbox_.call([this, reason, kill_server, fenced] {
    Result<std::vector<std::string>> report = controller_.fence(reason, kill_server);
    if (!report.is_ok()) return report.status();
    *fenced = {std::move(report.value()), role_.on_record()};
    return Status::ok();
  });
  if (!done.is_ok()) return done;
  return *fenced;
}

Status ControlThread::request_unfence() {
  return mailbox_.call([this] { return controller_.lift_fence(); });
}

std::vector<LedgerInterval> ControlThread::ledger_intervals() {
  // Shared, as above.
  auto list = std::make_shared<std::vector<LedgerInterval>>();
  const Status done = mailbox_.call([this, list] {
    *list = controller_.ledger().list();
    return Status::ok();
  });
  return done.is_ok() ? *list : std::vector<LedgerInterval>{};
}

Status ControlThread::acknowledge_interval(std::uint64_t id, const std::string& by) {
  return mailbox_.call([this, id, by] {
    std::string problem = controller_.ledger().acknowledge(id, by);
    return problem.empty() ? Status::ok() : Status::failed(std::move(problem));
  });
}

}  // namespace binlane

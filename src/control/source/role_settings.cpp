// RoleController, the part that carries out an operator's requests to a running source: settings,
// degrade, resume.

#include <fmt/format.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "control/source/role_controller.h"
#include "control/source/source_settings.h"

namespace binlane {
namespace {

constexpr const char* kNotRunning = "this host is not a running source (see binlane status)";

Status refused(const char* what, const Status& status) {
  return Status::failed(fmt::format("the server refuses the new {}: {}", what, status.text()));
}

}  // namespace

Status RoleController::change(const Config& next) {
  const SourceConfig& wanted = *next.source;
  // If no incarnation runs, the next one begins with both rules.
  if (!(wanted.quorum == config_.source->quorum) && running() != nullptr) {
    if (Status changed = running()->change_rule(wanted.quorum); !changed.is_ok()) return changed;
  }
  if (Status applied = apply_to_server(wanted); !applied.is_ok()) return applied;
  config_ = next;
  shown_config_ = std::make_shared<const Config>(next);
  return Status::ok();
}

// Our deadline must end before the server's at every moment. So a longer timeout is set at the
// server first, and a shorter one here first. A commit that waits already keeps the server's older
// one. [S13]
Status RoleController::apply_to_server(const SourceConfig& next) {
  if (running() == nullptr) return Status::ok();
  SourceServer& server = parts_.server;
  const std::uint64_t server_ms = next.effective_server_timeout_ms();
  const std::uint64_t before_ms = config_.source->effective_server_timeout_ms();
  if (next.wait_point != config_.source->wait_point) {
    if (next.wait_point == WaitPoint::after_commit && !running()->expect_after_commit())
      return Status::failed(parts_.records.failure());
    const Status done = server.set_wait_point(next.wait_point);
    if (!done.is_ok()) return refused("wait point", done);
    log::warning("wait_point", "from now on commits wait at {}",
                 next.wait_point == WaitPoint::after_sync ? "AFTER_SYNC" : "AFTER_COMMIT");
  }
  if (server_ms > before_ms) {
    const Status done = server.set_server_timeout(server_ms, next.timeout_ms);
    if (!done.is_ok()) return refused("timeout", done);
  }
  running()->fallback().set_options(fallback_options(next));
  if (server_ms < before_ms) {
    const Status done = server.set_server_timeout(server_ms, next.timeout_ms);
    // That the server keeps its longer timeout does no harm.
    if (!done.is_ok()) log::warning("server_setting", "{}", refused("timeout", done).text());
  }
  return Status::ok();
}

Status RoleController::degrade() {
  if (running() == nullptr) return Status::failed(kNotRunning);
  Fallback& fallback = running()->fallback();
  if (fallback.ledger_failed()) return Status::failed(parts_.records.ledger().failure());
  DurableMark& mark = parts_.degrade_mark;
  if (const int error = mark.set(); error != 0)
    return Status::failed(
        fmt::format("cannot record the degrade in {}: {}", mark.path(), errno_text(error)));
  writes_.guard().answered();  // the operator says that this host is still the source
  fallback.degrade();
  BL_ASSERT(mark.is_set() && fallback.degraded_by_operator());
  return Status::ok();
}

Status RoleController::resume() {
  if (running() == nullptr) return Status::failed(kNotRunning);
  DurableMark& mark = parts_.degrade_mark;
  if (const int error = mark.clear(); error != 0)
    return Status::failed(fmt::format("cannot remove {}: {}", mark.path(), errno_text(error)));
  running()->fallback().resume();
  return Status::ok();
}

}  // namespace binlane

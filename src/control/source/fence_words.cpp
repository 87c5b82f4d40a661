#include "control/source/fence_words.h"

#include <fmt/format.h>

#include "base/wall_clock.h"

namespace binlane {

std::string fenced_server_text(ServerLife life) {
  switch (life) {
    case ServerLife::alive:
      return ", and its server becomes read-only";
    case ServerLife::ended:
      return "; its server has ended, and becomes read-only if somebody starts it";
    case ServerLife::unknown:
      return "; whether its server runs is not known, and if it does, it becomes read-only";
  }
  return {};
}

std::string waiting_clients_text(ServerLife life, std::uint64_t waiting, std::uint64_t timeout_ms) {
  constexpr const char* kLedger =
      "The ledger has the stretch of the binlog whose commits have no quorum";
  if (life == ServerLife::ended)
    return fmt::format(
        "the server has ended: no client waits there any more. What clients were told before it "
        "ended is not known here. {}",
        kLedger);
  if (life == ServerLife::unknown)
    return fmt::format(
        "whether the server runs is not known. If it does, clients of commits that wait for a "
        "quorum are told OK when the server's own timeout ends ({} ms after the commit began), "
        "although perhaps no other host has these commits. {}",
        timeout_ms, kLedger);
  const std::string clients =
      waiting == 0
          ? "no commit was seen to wait for a quorum; clients of commits that wait all the same"
          : fmt::format("{} for a quorum: their clients",
                        waiting == 1 ? "1 commit waits" : fmt::format("{} commits wait", waiting));
  return fmt::format(
      "{} are told OK when the server's own timeout ends, at {} at the latest ({} ms from now), "
      "although perhaps no other host has these commits. The ledger lists them. To prevent this, "
      "kill the server first: binlane fence --kill-server",
      clients, wall_clock_text_in(timeout_ms), timeout_ms);
}

std::string killed_server_text(const KilledServer& killed) {
  std::string text;
  switch (killed.outcome) {
    case KillOutcome::killed:
      text = fmt::format("the server (process {}) was killed: no client that waited was told OK",
                         killed.pid);
      break;
    case KillOutcome::pending:
      text = fmt::format(
          "the server (process {}) was killed, but has not ended yet, perhaps because it waits for "
          "its disk: what its clients are told is certain only once it has ended",
          killed.pid);
      break;
    case KillOutcome::gone:
      text = fmt::format(
          "the server (process {}) had ended already, so nothing was killed. What its clients were "
          "told before it ended is not known here",
          killed.pid);
      break;
  }
  return text +
         ". Nothing may start that server before binlane rejoin (for its unit: systemctl disable "
         "--now)";
}

}  // namespace binlane

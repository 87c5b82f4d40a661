#include "control/status/problem_finder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "control/config/quorum_text.h"
#include "control/fallback/fallback_text.h"
#include "control/fallback/quorum_margin.h"
#include "control/stream/binlog_numbers.h"

namespace binlane {
namespace {

using Phase = SourcePhase;
using View = SourceView;

std::string with_reason(std::string text, const std::string& reason) {
  return reason.empty() ? text : text + ": " + reason;
}

// "1 interval", "2 intervals".
std::string counted(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void add_if(ProblemList& out, ProblemCode code, const std::string& text) {
  if (!text.empty()) out.add(code, text);
}

void add_files(const View& view, ProblemList& out) {
  add_if(out, ProblemCode::ledger_failed, view.ledger_failure);
  add_if(out, ProblemCode::state_failed, view.state_failure);
  add_if(out, ProblemCode::role_failed, view.role_failure);
}

void add_ledger(const View& view, ProblemList& out) {
  if (view.ledger.open > 0)
    out.add(
        ProblemCode::ledger_open,
        fmt::format("{} of the ledger {} open: their commits may have been released, and no "
                    "quorum has all of them yet",
                    counted(view.ledger.open, "interval"), view.ledger.open == 1 ? "is" : "are"));
  if (view.ledger.unacknowledged > 0)
    out.add(ProblemCode::ledger_unacknowledged,
            fmt::format("{} may have been released without a quorum, and nobody has acknowledged "
                        "that (binlane ledger list, binlane ledger ack ID)",
                        counted(view.ledger.unacknowledged, "interval")));
}

void add_replicas(const SourceConfig& config, const View& view, ProblemList& out) {
  if (quorum_margin(config.quorum, view.marks) < 0)
    out.add(ProblemCode::quorum_lost,
            fmt::format("the connected replicas cannot satisfy the rule {}: the next commit waits "
                        "for the timeout",
                        to_string(config.quorum, config.replica_names())));
  for (std::size_t i = 0; i < config.replicas.size(); ++i) {
    const std::string& name = config.replicas[i].name;
    const ReplicaMarks& marks = view.marks.replicas[i];
    const std::string refusal = i < view.replicas.size() ? view.replicas[i].refusal : "";
    if (!marks.connected)
      out.add(ProblemCode::replica_away,
              with_reason(fmt::format("replica {} is away", name), refusal));
    else if ((marks.state & wire::kStateDamaged) != 0)
      out.add(
          ProblemCode::replica_damaged,
          fmt::format("replica {} has unrepaired damage in its journal, and counts in no quorum",
                      name));
  }
}

// While the stream runs.
void add_running(const SourceConfig& config, const View& view, ProblemList& out) {
  if (view.state != FallbackState::semisync)
    out.add(ProblemCode::not_semisync,
            with_reason(fmt::format("commits do not wait for a quorum, the source is {}",
                                    to_string(view.state)),
                        view.last_transition.at_ns == 0
                            ? std::string()
                            : std::string(to_string(view.last_transition.reason))));
  if (view.blocked)
    out.add(ProblemCode::blocked,
            with_reason("commits wait beyond the timeout and are not released",
                        view.ledger_failure.empty() ? "that is what mode block is for"
                                                    : "the ledger cannot be written"));
  if (view.other_ackers > 0)
    out.add(ProblemCode::other_acker,
            fmt::format("{} of the server besides Binlane may acknowledge commits that perhaps no "
                        "quorum has (binlane doctor names them)",
                        counted(view.other_ackers, "semi-sync client")));
  if (view.numbers_near_end)
    out.add(ProblemCode::binlog_numbers,
            fmt::format("the newest binlog is number {}: at {} semi-sync ends for good; renumber "
                        "the binlogs (OPERATIONS, Binlog numbers)",
                        view.newest_binlog, BinlogNumbers::kLastNumber));
  if (!view.headless_binlog.empty())
    out.add(
        ProblemCode::binlog_headless,
        fmt::format("the server made the binlog {} {:.1f} s ago and has not written its "
                    "beginning, so nothing in that file is shipped, and its commits wait: look "
                    "at the server's disk and error log (OPERATIONS, Large transactions)",
                    view.headless_binlog, static_cast<double>(view.headless_ns) / kNanosPerSecond));
  add_replicas(config, view, out);
  if (view.drain.state != DrainState::draining && !view.server_down)
    out.add(ProblemCode::dump_away,
            with_reason(fmt::format("the dump connection to the server is {}: acknowledgements do "
                                    "not reach it",
                                    to_string(view.drain.state)),
                        view.drain.reason));
  add_if(out, ProblemCode::source_trouble, view.problem);
}

void add_source(const SourceConfig& config, const View& view, ProblemList& out) {
  switch (view.phase) {
    case Phase::looking:
      out.add(ProblemCode::looking,
              with_reason("the source has not found its server", view.problem));
      break;
    case Phase::refused:
      out.add(ProblemCode::refused, with_reason("the source is REFUSED", view.problem));
      break;
    case Phase::fenced:
      out.add(ProblemCode::fenced, with_reason("this host is FENCED, and gives no quorum (binlane "
                                               "rejoin, once another host is the source)",
                                               view.role.fence_reason));
      add_if(out, ProblemCode::source_trouble, view.problem);
      break;
    case Phase::promoting:
      out.add(ProblemCode::promoting, "this host is being promoted (binlane promotion)");
      break;
    case Phase::running:
      add_running(config, view, out);
      break;
    case Phase::standby:
      add_if(out, ProblemCode::standby_trouble, view.problem);
      if (view.role.rejoining)
        out.add(ProblemCode::rejoining,
                with_reason("this host's rejoin is not done", view.rejoin.waiting_for));
      if (!view.unfit.empty())
        out.add(ProblemCode::cannot_take_over,
                fmt::format("a promotion of this host would be refused: {}", view.unfit));
      if (!view.replication_problem.empty())
        out.add(ProblemCode::not_following,
                fmt::format("this host's server does not follow its feed, and a promotion would "
                            "wait for it: {}",
                            view.replication_problem));
      break;
  }
}

// While binlaned runs and its server does not: what to do depends on the role.
void add_server_down(const SourceConfig& config, const View& view, ProblemList& out) {
  if (!view.server_down) return;
  const char* const advice =
      view.phase == Phase::fenced
          ? "do not start it before binlane rejoin has looked at its binlogs: its recovery would "
            "commit what perhaps no other host has"
          : "nothing can be committed here. Start it, or let another host take over: binlane fence "
            "here, then binlane promote there (OPERATIONS, The source's server has died)";
  out.add(ProblemCode::server_down,
          fmt::format("the server at {} is down or cannot be reached: {}; {}", config.server_socket,
                      view.poll_problem, advice));
}

// What the last looks at the server have shown, in any role.
void add_server(const View& view, ProblemList& out) {
  if (!view.poll_problem.empty() && !view.server_down)
    out.add(ProblemCode::poll_failing,
            fmt::format("the server's status cannot be read, so what is shown of it is old: {}",
                        view.poll_problem));
  add_if(out, ProblemCode::login_failing, view.login_problem);
  for (const std::string& difference : view.server_differences)
    out.add(ProblemCode::server_setting, difference);
  add_if(out, ProblemCode::read_only_refused, view.read_only_problem);
  add_if(out, ProblemCode::writes_stopped, view.write_problem);
}

void add_replica_files(const ReplicaSight& sight, ProblemList& out) {
  const int journal = sight.control.marks.failure;
  if (journal != 0)
    out.add(ProblemCode::journal_failed,
            fmt::format(
                "the journal cannot be written, so this replica acknowledges nothing durable: {}",
                errno_text(journal)));
  if (!sight.archive.failure.empty())
    out.add(ProblemCode::archive_failed,
            fmt::format("the archive has stopped: {}", sight.archive.failure));
  add_if(out, ProblemCode::exposures_failed, sight.control.exposure_failure);
}

void add_retention(const ArchivePruner::View& view, ProblemList& out) {
  if (view.nearly_full)
    out.add(ProblemCode::archive_disk_nearly_full,
            fmt::format("the archive's disk has {} MiB left, less than archive_min_free_mb: files "
                        "that nobody needs are deleted early",
                        view.free_bytes.value_or(0) >> 20));
  if (view.over_limit)
    out.add(
        ProblemCode::archive_over_limit,
        fmt::format("a limit asks to delete the archive's oldest file, but the file is kept: {}",
                    to_string(view.kept)));
  if (!view.failure.empty())
    out.add(ProblemCode::archive_file_not_deleted,
            "an archived file that nobody needs cannot be deleted: " + view.failure);
}

// For a host that is a replica now.
void add_replica(const ReplicaSight& sight, ProblemList& out) {
  const ReplicaControl::View& view = sight.control;
  if (view.exposures.divergence)
    out.add(ProblemCode::diverged,
            "this replica is DIVERGED: its server was fed what a later term does not hold; rebuild "
            "it");
  if (!view.marks.connected)
    out.add(ProblemCode::source_away,
            with_reason("this replica is not connected to its source", view.refusal));
  else if (view.away)
    out.add(ProblemCode::source_away,
            fmt::format("the source {} was not heard for {:.1f} s", view.source_name,
                        static_cast<double>(view.silent_ns) / kNanosPerSecond));
  if (!view.damaged_until.position.is_null())
    out.add(ProblemCode::journal_damaged,
            fmt::format("the journal has damage that is not repaired yet, up to {}",
                        to_string(view.damaged_until.position)));
  if (sight.archive.waits_for_room)
    out.add(ProblemCode::archive_full,
            "the archive's disk is full: the journal fills up, and then this replica accepts no "
            "more bytes");
  const bool closed = sight.feed.listening.empty() || !sight.feed.problem.empty();
  if (closed && !view.exposures.divergence)
    out.add(ProblemCode::feed_closed,
            with_reason("the feed accepts no connection, so the local server receives nothing",
                        sight.feed.problem));
  if (!sight.feed.gap.empty()) out.add(ProblemCode::feed_gap, sight.feed.gap);
}

}  // namespace

bool replica_at_work(const HostSight& sight) noexcept {
  return sight.replica != nullptr &&
         (sight.source == nullptr || sight.source->phase == Phase::standby);
}

std::vector<Problem> find_problems(const HostSight& sight) {
  ProblemList out;
  for (const StuckThread& stuck : sight.stuck)
    out.add(ProblemCode::thread_stuck,
            fmt::format("the thread {} has not turned for {} ms: what it shows is old", stuck.name,
                        stuck.for_ms));
  if (sight.source != nullptr) {
    add_server_down(*sight.source_config, *sight.source, out);
    add_source(*sight.source_config, *sight.source, out);
    add_server(*sight.source, out);
    add_ledger(*sight.source, out);
    add_files(*sight.source, out);
  }
  if (sight.replica != nullptr) {
    if (sight.replica->sources.from == SourcesFrom::anybody)
      out.add(ProblemCode::hears_anybody,
              "every host that can send a datagram to this replica can become its source: list the "
              "hosts that may (replica.sources)");
    if (replica_at_work(sight)) add_replica(*sight.replica, out);
    add_replica_files(*sight.replica, out);
    add_retention(sight.replica->retention, out);
  }
  add_if(out, ProblemCode::audit_failed, sight.audit_failure);
  for (const PortSight& port : sight.ports) {
    if (!port.attached)
      out.add(ProblemCode::port_away,
              with_reason(fmt::format("the port {} has no device", port.name), port.problem));
  }
  return out.take();
}

}  // namespace binlane

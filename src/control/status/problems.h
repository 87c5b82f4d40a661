// Problems: what is wrong on this host, as one typed list.
//
// The list is computed in one place from what was observed (problem_finder.h), and every judgement
// about this host uses it: the top of `binlane status`, `status --json` (`problems`), the exit code
// of `status --check`, the metrics binlane_problem and binlane_failed, and the alerts. Nothing else
// decides whether all is well, so that no two of them can contradict each other. [S22]
//
// A new problem needs a value of ProblemCode, a row of the table in problems.cpp, a line in the
// finder that adds it, a case in problem_finder_test, and a row in docs/OPERATIONS.md; a test fails
// while one of these is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace binlane {

enum class Severity : std::uint8_t {
  warning,  // the host does its job, but somebody should check. `status --check` exits with 0
  fault  // the host does not do its job in full, or that is unknown. `status --check` exits with 4
};
const char* to_string(Severity severity) noexcept;

enum class ProblemCode : std::uint8_t {
  // The source.
  looking,
  refused,
  fenced,
  promoting,
  not_semisync,
  blocked,
  quorum_lost,
  replica_away,
  replica_damaged,
  ledger_open,
  ledger_unacknowledged,
  server_down,
  poll_failing,
  login_failing,
  dump_away,
  server_setting,
  read_only_refused,
  source_trouble,
  other_acker,
  binlog_numbers,
  binlog_headless,
  standby_trouble,
  rejoining,
  not_following,
  cannot_take_over,
  writes_stopped,
  // The replica.
  diverged,
  source_away,
  journal_damaged,
  archive_full,
  archive_disk_nearly_full,
  archive_over_limit,
  archive_file_not_deleted,
  feed_closed,
  hears_anybody,
  feed_gap,
  // Files that cannot be written any more.
  journal_failed,
  archive_failed,
  ledger_failed,
  role_failed,
  state_failed,
  exposures_failed,
  audit_failed,
  // The daemon.
  thread_stuck,
  port_away,
};

struct ProblemKind {
  ProblemCode code;
  const char* name;  // as in JSON, metric and documents
  Severity severity;
  const char* part;  // of binlane_failed{part="…"}; null: no file of ours
};

// Every kind, in the order of the enumeration.
std::span<const ProblemKind> problem_kinds() noexcept;
const ProblemKind& kind_of(ProblemCode code) noexcept;

struct Problem {
  ProblemCode code = ProblemCode::looking;
  Severity severity = Severity::fault;
  std::string text;  // one sentence for the operator, with what the server or the kernel said

  bool operator==(const Problem&) const = default;
};

class ProblemList {
 public:
  void add(ProblemCode code, std::string text);
  // Faults come first; each in the order in which it was found.
  std::vector<Problem> take();

 private:
  std::vector<Problem> problems_;
};

}  // namespace binlane

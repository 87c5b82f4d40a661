// Temperament: how a database server behaves where products differ, as far as its binlog and its
// semi-sync go. Each line is a fact of a real server (MariaDB 10.11.19 and 11.8.9, MySQL 9.7.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "shim/binlog/gtid_set.h"

namespace binlane::sim {

// As `--server` names them.
enum class ServerKind : std::uint8_t { mariadb, mysql, mariadb_11_8 };
inline constexpr std::size_t kServerKinds = static_cast<std::size_t>(ServerKind::mariadb_11_8) + 1;

const char* to_string(ServerKind kind) noexcept;
std::optional<ServerKind> parse_server_kind(std::string_view name) noexcept;

struct Temperament {
  GtidGrammar grammar = GtidGrammar::mariadb;
  const char* version = "";  // as the server words it
  std::uint32_t version_number = 0;

  // Recovery cuts a torn newest file back to its last whole group, and clears the file's IN_USE
  // flag. It syncs neither. Otherwise it leaves the file as it is.
  bool trims_torn_files = false;
  bool syncs_cleared_flag = false;    // a file that a rotation has ended: after its flag is cleared
  bool marks_reset_as_start = false;  // a RESET's first file says when it began, as a start's does
  // The next group may be written before the one before it is synced. One sync then ends several
  // groups, which go on as one. Otherwise each group is synced, and its end published, before the
  // next one is written.
  bool writes_during_sync = false;
  // With sync_binlog not 1, the dump connection gets a group before it is synced.
  bool publishes_unsynced = false;
  // A group waits with the commit lock held, and those that come meanwhile then wait as one.
  bool waits_in_order = false;
  // yes_tx and no_tx count groups where commits wait AFTER_SYNC. Otherwise they count commits.
  bool counts_groups = false;
  // A rotation waits for all commits that the engine does not have yet, and blocks new groups
  // meanwhile.
  bool rotation_waits = false;
  // After half a write the server ends itself (binlog_error_action=ABORT_SERVER). Otherwise it
  // continues after the half.
  bool aborts_after_half_write = false;
  // A large transaction's cache file is renamed to the next binlog file when it commits.
  bool renames_large_groups = false;

  bool compares_names_as_text = false;  // S17
  bool kill_ends_wait = false;          // of a waiting session; otherwise it waits on
};

const Temperament& temperament_of(ServerKind kind) noexcept;

// What a run has seen of it.
struct TemperamentCounts {
  std::uint64_t torn_files_trimmed = 0;
  std::uint64_t flags_cleared_by_recovery = 0;
  std::uint64_t groups_synced_together = 0;    // beyond the first of each sync
  std::uint64_t groups_queued_for_ack = 0;     // behind one that waits (binlog_order_commits=ON)
  std::uint64_t waits_ended_out_of_order = 0;  // (binlog_order_commits=OFF)
  std::uint64_t rotations_delayed = 0;         // by commits that wait
  std::uint64_t kills_waited_out = 0;
  std::uint64_t aborts = 0;
  std::uint64_t resets = 0;
  std::uint64_t resets_to_a_number = 0;  // of these, RESET … TO n
  std::uint64_t renames = 0;             // that were completed
  std::uint64_t renames_cut_short = 0;   // by the server's end

  TemperamentCounts& operator+=(const TemperamentCounts& other) noexcept;
};

}  // namespace binlane::sim

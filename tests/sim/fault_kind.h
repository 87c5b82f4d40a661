// FaultKind: everything that can go wrong, or that somebody may do, in a simulated run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace binlane::sim {

enum class FaultKind : std::uint8_t {
  // The network.
  loss,
  duplication,
  reordering,
  delay_spike,
  corruption,
  truncation,
  replay,
  symmetric_partition,
  asymmetric_partition,
  partial_partition,
  clogging,
  // Processes.
  source_daemon_crash,
  replica_daemon_crash,
  server_kill,
  server_shutdown,
  source_power_cut,
  source_pause,
  source_freeze,  // the whole machine, while degraded, for longer than a promotion takes meanwhile
  replica_pause,
  // A replica's disk.
  power_cut_4k,
  power_cut_512,
  lost_write,
  misdirected_write,
  bit_rot,
  write_error,
  sync_error,
  slow_disk,
  archive_full,
  archive_pruned,  // every file that nobody needs is deleted at once
  archive_sync_error,
  superblock_error,
  exposure_error,
  reseed,
  // The source's disk.
  state_error,
  role_error,
  ledger_error,
  // The server's operators and clients.
  kill_waiter,
  operator_off,
  sync_binlog_off,
  flush_logs,
  purge,
  reset_master,
  torn_binlog,     // the binlogs' disk was full, and the server continues after half a group
  delete_domain,   // FLUSH BINARY LOGS DELETE_DOMAIN_ID
  second_acker,    // a semi-sync client of the server that is not Binlane
  rotation_storm,  // many new binlogs within a moment; some runs have numbers near 999999
  // Binlane's operator.
  quorum_change,           // in the file, while binlaned is restarted
  live_quorum_change,      // while it runs
  live_timeout_change,     // as well
  live_wait_point_change,  // as well
  live_mode_change,        // as well: degrade, block, fail
  wall_clock_jump,
  promotion,        // planned, or because the source is lost
  rival_candidate,  // another host is asked as well, while the first is at it
  later_promotion,  // the new source is replaced in turn
  // A candidate, at a step that the seed draws.
  candidate_daemon_crash,
  candidate_server_down,
  candidate_power_cut,
  candidate_role_error,
  // The new source.
  new_source_daemon_crash,
  new_source_server_kill,
  new_source_power_cut,
  // A source of in between comes back as a replica.
  rejoin,          // as it is
  rejoin_cut,      // its tail is cut off first
  rejoin_rebuilt,  // from a copy of the new source's
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::rejoin_rebuilt) + 1;

const char* to_string(FaultKind kind) noexcept;

}  // namespace binlane::sim

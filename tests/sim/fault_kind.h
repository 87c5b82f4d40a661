// FaultKind: everything that can go wrong, or be done, in a simulated run.
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
  source_freeze,  // the whole machine, degraded, for longer than the promotion takes meanwhile
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
  archive_pruned,  // whatever nobody needs is deleted at once
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
  torn_binlog,     // its disk was full, and it goes on after half a group
  delete_domain,   // FLUSH BINARY LOGS DELETE_DOMAIN_ID
  second_acker,    // a semi-sync client of the server that is not Binlane
  rotation_storm,  // many binlogs within a moment; some runs are numbered near 999999
  // Binlane's operator.
  quorum_change,
  wall_clock_jump,
  promotion,  // planned, or because the source is lost
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::promotion) + 1;

const char* to_string(FaultKind kind) noexcept;

}  // namespace binlane::sim

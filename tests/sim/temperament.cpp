#include "temperament.h"

#include <array>

namespace binlane::sim {
namespace {

constexpr std::array<const char*, kServerKinds> kServerNames = {"mariadb", "mysql", "mariadb:11.8"};

constexpr Temperament kMariadb{
    .grammar = GtidGrammar::mariadb,
    .version = "10.11.19-MariaDB",
    .version_number = 101'119,
    .compares_names_as_text = true,
    .kill_ends_wait = true,
};

constexpr Temperament kMysql{
    .grammar = GtidGrammar::mysql,
    .version = "9.7.4",
    .version_number = 90'704,
    .trims_torn_files = true,
    .syncs_cleared_flag = true,
    .marks_reset_as_start = true,
    .writes_during_sync = true,
    .publishes_unsynced = true,
    .waits_in_order = true,
    .counts_groups = true,
    .rotation_waits = true,
    .aborts_after_half_write = true,
};

constexpr Temperament kMariadb118 = [] {
  Temperament temperament = kMariadb;
  temperament.version = "11.8.9-MariaDB";
  temperament.version_number = 110'809;
  temperament.renames_large_groups = true;
  return temperament;
}();

}  // namespace

const char* to_string(ServerKind kind) noexcept {
  return kServerNames[static_cast<std::size_t>(kind)];
}

std::optional<ServerKind> parse_server_kind(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kServerNames.size(); ++i) {
    if (name == kServerNames[i]) return static_cast<ServerKind>(i);
  }
  return std::nullopt;
}

const Temperament& temperament_of(ServerKind kind) noexcept {
  switch (kind) {
    case ServerKind::mysql:
      return kMysql;
    case ServerKind::mariadb_11_8:
      return kMariadb118;
    case ServerKind::mariadb:
      break;
  }
  return kMariadb;
}

TemperamentCounts& TemperamentCounts::operator+=(const TemperamentCounts& other) noexcept {
  torn_files_trimmed += other.torn_files_trimmed;
  flags_cleared_by_recovery += other.flags_cleared_by_recovery;
  groups_synced_together += other.groups_synced_together;
  groups_queued_for_ack += other.groups_queued_for_ack;
  waits_ended_out_of_order += other.waits_ended_out_of_order;
  rotations_delayed += other.rotations_delayed;
  kills_waited_out += other.kills_waited_out;
  aborts += other.aborts;
  resets += other.resets;
  resets_to_a_number += other.resets_to_a_number;
  renames += other.renames;
  renames_cut_short += other.renames_cut_short;
  return *this;
}

}  // namespace binlane::sim

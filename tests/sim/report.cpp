#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"

namespace binlane::sim {
namespace {

CheckCounts sum(const CheckCounts& a, const CheckCounts& b) {
  return {a.quorums + b.quorums,   a.acks + b.acks,       a.marks + b.marks,
          a.releases + b.releases, a.exposed + b.exposed, a.foreign + b.foreign,
          a.unwaited + b.unwaited, a.turns + b.turns,     a.cuts + b.cuts,
          a.feeds + b.feeds,       a.bytes + b.bytes,     a.acked + b.acked,
          a.wakings + b.wakings};
}

// The sum does not depend on the order of the seeds, so workers may share them in any way.
std::uint64_t scatter(std::uint64_t seed, std::uint64_t hash) {
  return (hash ^ seed * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
}

}  // namespace

void Report::add(const RunResult& result) {
  ++seeds;
  virtual_ns += result.virtual_ns;
  hash += scatter(result.seed, result.hash);
  checks = sum(checks, result.checks);
  promotions += result.promotions;
  settings.changed += result.settings.changed;
  settings.refused += result.settings.refused;
  temperament += result.temperament;
  ++servers[static_cast<std::size_t>(result.server)];
  unordered += temperament_of(result.server).waits_in_order && !result.orders_commits ? 1 : 0;
  ++modes[static_cast<std::size_t>(result.mode)];
  holding += result.holds ? 1 : 0;
  later += result.promotions.active > 1 ? 1 : 0;
  promoted += result.promoted ? 1 : 0;
  unproven += result.promotion_asked && !result.promoted ? 1 : 0;
  for (std::size_t a = 0; a < kFaultKinds; ++a) {
    faults[a] += result.faults[a];
    for (std::size_t b = a + 1; b < kFaultKinds; ++b)
      pairs[a][b] += result.faults[a] > 0 && result.faults[b] > 0 ? 1 : 0;
  }
  if (!result.violation.empty()) add_failure(result.seed, result.violation);
}

void Report::add_failure(std::uint64_t seed, const std::string& what) {
  ++violations;
  if (failures == kMostFailures) return;
  FailedSeed& failure = failed[failures++];
  failure.seed = seed;
  std::strncpy(failure.what, what.c_str(), sizeof failure.what - 1);
}

void Report::add(const Report& other) {
  seeds += other.seeds;
  virtual_ns += other.virtual_ns;
  repeated += other.repeated;
  not_the_same += other.not_the_same;
  hash += other.hash;
  checks = sum(checks, other.checks);
  promotions += other.promotions;
  settings.changed += other.settings.changed;
  settings.refused += other.settings.refused;
  temperament += other.temperament;
  for (std::size_t i = 0; i < servers.size(); ++i) servers[i] += other.servers[i];
  unordered += other.unordered;
  for (std::size_t i = 0; i < modes.size(); ++i) modes[i] += other.modes[i];
  holding += other.holding;
  later += other.later;
  promoted += other.promoted;
  unproven += other.unproven;
  for (std::size_t a = 0; a < kFaultKinds; ++a) {
    faults[a] += other.faults[a];
    for (std::size_t b = 0; b < kFaultKinds; ++b) pairs[a][b] += other.pairs[a][b];
  }
  for (std::size_t i = 0; i < other.failures; ++i)
    add_failure(other.failed[i].seed, other.failed[i].what);
  violations += other.violations - other.failures;
}

std::uint64_t Report::pairs_seen() const {
  std::uint64_t seen = 0;
  for (std::size_t a = 0; a < kFaultKinds; ++a) {
    for (std::size_t b = a + 1; b < kFaultKinds; ++b) seen += pairs[a][b] > 0 ? 1 : 0;
  }
  return seen;
}

std::string Report::to_json() const {
  nlohmann::ordered_json json;
  json["seeds"] = seeds;
  json["simulated_hours"] = static_cast<double>(virtual_ns / kNanosPerMilli) / (3600.0 * 1000.0);
  json["violations"] = violations;
  json["fault_kinds"] =
      std::count_if(faults.begin(), faults.end(), [](std::uint64_t count) { return count > 0; });
  json["pairs_covered"] = static_cast<double>(pairs_seen()) / static_cast<double>(pairs_total());
  json["pairs_seen"] = pairs_seen();
  json["pairs_total"] = pairs_total();
  json["deterministic"] = not_the_same == 0 && repeated > 0;
  json["repeated_seeds"] = repeated;
  json["trace_hash"] = fmt::format("{:016x}", hash);
  json["first_failing_seed"] = nullptr;
  if (failures > 0) json["first_failing_seed"] = failed[0].seed;
  json["runs_with_a_promotion"] = promoted;
  json["runs_with_promotions_refused"] = unproven;
  json["runs_with_later_promotions"] = later;
  json["promotions_resumed"] = promotions.resumed;
  json["rival_candidates"] = promotions.rivals;
  json["rejoins"] = promotions.rejoins;
  json["rejoins_of_the_first_source"] = promotions.first_rejoins;
  json["rejoins_refused"] = promotions.rejoins_refused;
  json["candidates_struck_by_phase"] = promotions.struck;
  json["runs_by_mode"] = {{"degrade", modes[0]}, {"block", modes[1]}, {"fail", modes[2]}};
  json["runs_with_hold"] = holding;
  auto& by_server = json["runs_by_server"];
  for (std::size_t i = 0; i < kServerKinds; ++i)
    by_server[to_string(static_cast<ServerKind>(i))] = servers[i];
  json["runs_with_unordered_commits"] = unordered;
  auto& seen = json["temperament"];
  seen["torn_files_trimmed"] = temperament.torn_files_trimmed;
  seen["flags_cleared_by_recovery"] = temperament.flags_cleared_by_recovery;
  seen["groups_synced_together"] = temperament.groups_synced_together;
  seen["groups_queued_for_ack"] = temperament.groups_queued_for_ack;
  seen["waits_ended_out_of_order"] = temperament.waits_ended_out_of_order;
  seen["rotations_delayed"] = temperament.rotations_delayed;
  seen["kills_waited_out"] = temperament.kills_waited_out;
  seen["aborts"] = temperament.aborts;
  seen["resets"] = temperament.resets;
  seen["resets_to_a_number"] = temperament.resets_to_a_number;
  seen["renames"] = temperament.renames;
  seen["renames_cut_short"] = temperament.renames_cut_short;
  json["settings_changed"] = settings.changed;
  json["settings_refused"] = settings.refused;
  auto& checked = json["checked"];
  checked["commits_under_quorum"] = checks.acked;
  checked["S21_wakings"] = checks.wakings;
  checked["I1_quorums_on_platters"] = checks.quorums;
  checked["I2_acks_on_platters"] = checks.acks;
  checked["I3_quorum_marks"] = checks.marks;
  checked["I4_releases"] = checks.releases;
  checked["I4_exposed_commits"] = checks.exposed;
  checked["I4_foreign_commits"] = checks.foreign;
  checked["I4_unwaited_commits"] = checks.unwaited;
  checked["I5_turns"] = checks.turns;
  checked["I6_cuts"] = checks.cuts;
  checked["I7_feeds"] = checks.feeds;
  checked["I8_bytes"] = checks.bytes;
  auto& counts = json["faults"];
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    counts[to_string(static_cast<FaultKind>(i))] = faults[i];
  // Not a part of `json` yet, because its members move when another one is added.
  auto missing = nlohmann::ordered_json::array();
  auto matrix = nlohmann::ordered_json::object();
  for (std::size_t a = 0; a < kFaultKinds; ++a) {
    for (std::size_t b = a + 1; b < kFaultKinds; ++b) {
      const char* const first = to_string(static_cast<FaultKind>(a));
      const char* const second = to_string(static_cast<FaultKind>(b));
      if (pairs[a][b] == 0) missing.push_back({first, second});
      matrix[first][second] = pairs[a][b];
    }
  }
  json["pairs_missing"] = std::move(missing);
  json["pairs"] = std::move(matrix);
  return json.dump(2) + "\n";
}

}  // namespace binlane::sim

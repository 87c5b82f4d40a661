// What the scripted safety tests share: a world without faults of its own, and functions that bring
// the world to where a script begins.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "violation.h"
#include "world.h"

namespace binlane::sim::scripted {

inline constexpr std::uint64_t kMs = kNanosPerMilli;
inline constexpr std::uint64_t kSoonNs = 30 * kNanosPerSecond;
inline constexpr std::uint64_t kPromotionNs = 60 * kNanosPerSecond;

// Scripts run with MariaDB, or with what BINLANE_SIM_SERVER names. Those that are about one server
// alone set the kind themselves.
inline ServerKind server_of_scripts() {
  const char* const name = std::getenv("BINLANE_SIM_SERVER");
  return name == nullptr ? ServerKind::mariadb : parse_server_kind(name).value();
}

inline WorldOptions script(std::uint64_t seed = 1) {
  WorldOptions options;
  options.server.kind = server_of_scripts();
  options.seed = seed;
  options.scripted = true;
  options.server.group_pause_ns = 10 * kMs;
  return options;
}

inline void run_until_semisync(World& world) {
  world.run_until(
      [&] {
        return world.source().fallback_state() == FallbackState::semisync &&
               world.checks().counts().acked > 0;
      },
      kSoonNs, "semi-sync");
}

// Runs until some replica has half a group that the server has not written completely yet. Needs a
// second_piece_ns of some milliseconds.
inline void run_until_half_a_group(World& world) {
  world.run_until(
      [&] {
        return world.server().within_group() &&
               std::any_of(world.replicas().begin(), world.replicas().end(), [&](const auto& r) {
                 return r->journal()->durable() >= world.server().written();
               });
      },
      kSoonNs, "a replica that has half a group");
}

// Ends the workload, and runs until all is well.
inline void run_until_healthy(World& world) {
  world.server().busy = false;
  world.run_until([&] { return world.healthy(); }, kSoonNs, "everything well");
  world.checks().at_end();
}

inline void cut_off_all_replicas(World& world) {
  world.blocks = {{world.source().endpoint().ipv4, 0}, {0, world.source().endpoint().ipv4}};
}

inline std::size_t answered(const World& world, Answer answer) {
  const auto& commits = world.server().commits();
  return static_cast<std::size_t>(
      std::count_if(commits.begin(), commits.end(),
                    [answer](const Commit& commit) { return commit.answer == answer; }));
}

// Whether what an operator has asked of this host is over: it is the source, or has given up.
inline bool decided(const SourceHost& host) {
  return host.begun() || host.gave_up();
}

inline void lose_source(World& world) {
  world.source().kill();
  if (world.server().up()) world.server().kill();
}

// Asks one host after the other, from this one on, until one is the source.
inline SourceHost& run_until_promoted(World& world, std::size_t first) {
  SourceHost* candidate = nullptr;
  const std::size_t count = world.replicas().size();
  for (std::size_t i = 0; i < 4 * count; ++i) {
    const std::size_t index = (first + i) % count;
    if (world.candidates()[index]->begun()) continue;
    candidate = &world.promote(index);
    world.run_until([&] { return decided(*candidate); }, kPromotionNs, "the promotion's end");
    if (candidate->begun()) return *candidate;
    world.run_for(500 * kMs);
  }
  return *candidate;
}

inline void run_until_new_acks(World& world) {
  const std::uint64_t before = world.promotion_checks()->new_acked();
  world.run_until([&] { return world.promotion_checks()->new_acked() > before + 5; }, kPromotionNs,
                  "commits at the new source");
}

// Has the host rejoin. Returns why it does not; empty: it is a standby now.
inline std::string run_until_rejoined(World& world, SourceHost& host,
                                      const RejoinOptions& options) {
  host.rejoin(options);
  world.run_until([&] { return !host.rejoining(); }, kSoonNs, "the rejoin's end");
  return host.asked_rejoin() ? host.asked_rejoin()->refusal : std::string();
}

}  // namespace binlane::sim::scripted

// What the scripted safety tests have in common: a world without faults of its own, and the ways to
// bring it where a script begins.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "violation.h"
#include "world.h"

namespace binlane::sim::scripted {

inline constexpr std::uint64_t kMs = kNanosPerMilli;
inline constexpr std::uint64_t kSoonNs = 30 * kNanosPerSecond;

inline WorldOptions script(std::uint64_t seed = 1) {
  WorldOptions options;
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

// Some replica has half a group, which the server has not written out yet. Wants a
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

// The workload ends, and everybody gets there.
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

}  // namespace binlane::sim::scripted

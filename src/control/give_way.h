// give_way_to_server(): has the kernel prefer the server's threads to this daemon's, where they
// share few cores.
//
// A lane that yields all the time still takes its fair share of a core, and on two cores the
// server's threads then wait for their turn behind it, at every step of a commit. The share is the
// daemon's own only where it is a session of its own: elsewhere nothing is changed. (The kernel
// groups by session, sched_autogroup; a nice value counts only inside such a group. Under a service
// manager that uses control groups it is CPUWeight that counts.)
#pragma once

#include <cstdint>

namespace binlane {

// From so many cores on lanes have cores to themselves.
inline constexpr unsigned kCoresToSpare = 4;

enum class GivenWay : std::uint8_t {
  done,
  not_needed,   // cores to spare
  not_a_group,  // no session of its own, or a kernel that does not group
  failed
};

// Before the lanes start. Logs what it did.
GivenWay give_way_to_server(unsigned cores);

}  // namespace binlane

// give_way_to_server(): makes the kernel prefer the server's threads to this daemon's, if they
// share few cores.
//
// A lane that yields all the time still takes its fair share of a core, and on two cores the
// server's threads then wait for the lane's turns at every step of a commit. The share is the
// daemon's own only if the daemon is a session of its own; otherwise nothing is changed. (The
// kernel groups by session, sched_autogroup; a nice value counts only inside such a group. Under a
// service manager that uses control groups, CPUWeight counts.)
#pragma once

#include <cstdint>

namespace binlane {

// With this many cores or more, lanes have cores to themselves.
inline constexpr unsigned kCoresToSpare = 4;

enum class GivenWay : std::uint8_t {
  done,
  not_needed,   // cores to spare
  not_a_group,  // no session of its own, or a kernel that does not group
  failed
};

// Call it before the lanes start. Logs what it did.
GivenWay give_way_to_server(unsigned cores);

}  // namespace binlane

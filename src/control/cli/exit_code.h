// Exit codes of the program binlane. They are part of its interface: scripts rely on them, and
// docs/OPERATIONS.md lists them.
#pragma once

namespace binlane::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;         // the daemon answered with an error
inline constexpr int kExitUsage = 2;         // wrong usage
inline constexpr int kExitUnreachable = 3;   // the daemon cannot be reached
inline constexpr int kExitNotProtected = 4;  // status --check: the list of problems has a fault
inline constexpr int kExitRefused = 5;       // refused, with the reason
inline constexpr int kExitUnfinished = 6;    // still in progress when --wait-s ended
inline constexpr int kExitNotOnRecord = 7;   // fenced, but a restart of binlaned would forget it
inline constexpr int kExitAbsent = 10;       // verdict
inline constexpr int kExitInDoubt = 11;      // verdict
inline constexpr int kExitWarnings = 12;     // doctor: nothing worse than warnings
inline constexpr int kExitFaults = 13;       // doctor: something has to be repaired

}  // namespace binlane::cli

// The modes of everything in data_dir. It holds rows of every database, which no other user may
// read.
#pragma once

#include <sys/types.h>

namespace binlane {

inline constexpr mode_t kPrivateFileMode = 0600;
inline constexpr mode_t kPrivateFolderMode = 0700;

}  // namespace binlane

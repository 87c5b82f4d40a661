#include "base/folder_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace binlane {

std::string folder_problem(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0)
    return fmt::format("folder {}: {}", path, errno_text(errno));
  if (!S_ISDIR(facts.st_mode)) return fmt::format("{} is not a folder", path);
  if (facts.st_uid != ::geteuid() && facts.st_uid != 0)
    return fmt::format(
        "folder {} belongs to user {}, neither to root nor to the user binlaned runs as ({})", path,
        facts.st_uid, ::geteuid());
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fmt::format("folder {} has mode {:04o}: others could put files there; run chmod go-w {}",
                       path, facts.st_mode & 07777, path);
  return {};
}

}  // namespace binlane

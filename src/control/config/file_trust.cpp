#include "control/config/file_trust.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "base/access_path.h"
#include "base/error.h"
#include "control/config/service_identity.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

bool is_ours(uid_t owner) {
  if (owner == 0 || owner == ::geteuid()) return true;
  if (::geteuid() != 0) return false;
  const ::passwd* const service = ::getpwnam(kServiceUser);
  return service != nullptr && service->pw_uid == owner;
}

}  // namespace

std::string why_foreign(const std::string& path, const struct stat& facts) {
  if (is_ours(facts.st_uid)) return {};
  return fmt::format("{} belongs to user {}, neither to root nor to the user binlaned runs as ({})",
                     path, facts.st_uid, ::geteuid());
}

std::string why_not_trusted(const std::string& path, const struct stat& facts) {
  if ((facts.st_mode & kWritableByOthers) != 0)
    return fmt::format("{} has mode {:04o}: others could change it; run chmod go-w {}", path,
                       facts.st_mode & 07777, path);
  return why_foreign(path, facts);
}

std::string open_folder_of(const std::string& path) {
  const std::string folder = parent_directory(path);
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) return {};
  if ((facts.st_mode & kWritableByOthers) == 0 || (facts.st_mode & S_ISVTX) != 0) return {};
  return fmt::format("{} has mode {:04o}: others could replace {} by another file", folder,
                     facts.st_mode & 07777, path);
}

std::string why_not_opened(const std::string& path, int error) {
  std::string text = errno_text(error);
  if (error != EACCES) return text;
  const ::passwd* const user = ::getpwuid(::geteuid());
  const std::string name = user != nullptr ? user->pw_name : std::to_string(::geteuid());
  const std::string obstacle = read_obstacle(own_ids(), path);
  if (obstacle.empty()) return text + ", as user " + name;
  return fmt::format("{}, as user {}: {} keeps it out", text, name, obstacle);
}

}  // namespace binlane

#include "base/access_path.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace binlane {
namespace {

bool is_member(const UserIds& ids, gid_t group) {
  return std::find(ids.groups.begin(), ids.groups.end(), group) != ids.groups.end();
}

// As the kernel judges: the first class that fits decides alone.
bool may(const UserIds& ids, const struct stat& facts, mode_t wanted_of_owner) {
  if (facts.st_uid == ids.uid) return (facts.st_mode & wanted_of_owner) != 0;
  if (is_member(ids, facts.st_gid)) return (facts.st_mode & (wanted_of_owner >> 3)) != 0;
  return (facts.st_mode & (wanted_of_owner >> 6)) != 0;
}

std::string group_name(gid_t group) {
  const ::group* const found = ::getgrgid(group);
  return found != nullptr ? found->gr_name : std::to_string(group);
}

std::string described(const struct stat& facts) {
  const ::passwd* const user = ::getpwuid(facts.st_uid);
  return fmt::format("{}:{}, mode {:04o}",
                     user != nullptr ? user->pw_name : std::to_string(facts.st_uid),
                     group_name(facts.st_gid), facts.st_mode & 07777);
}

}  // namespace

UserIds own_ids() {
  UserIds ids;
  ids.uid = ::geteuid();
  const int count = ::getgroups(0, nullptr);
  if (count > 0) ids.groups.resize(static_cast<std::size_t>(count));
  if (::getgroups(count, ids.groups.data()) < 0) ids.groups.clear();
  ids.groups.push_back(::getegid());
  return ids;
}

std::string read_obstacle(const UserIds& ids, const std::string& path, std::string* group) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const bool last = end == std::string::npos;
    const std::string part = path.substr(0, end);
    struct stat facts {};
    if (::stat(part.c_str(), &facts) != 0) return {};  // whoever opens it reports this better
    if (!may(ids, facts, last ? S_IRUSR : S_IXUSR)) {
      const mode_t group_needs = last ? S_IRGRP : S_IXGRP;
      if (group != nullptr)
        *group = (facts.st_mode & group_needs) != 0 ? group_name(facts.st_gid) : "";
      return fmt::format("{} ({})", part, described(facts));
    }
    if (last) return {};
  }
}

}  // namespace binlane

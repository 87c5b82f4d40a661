// May some user read a file? And if not, what on the way to it is in the way? By the modes alone;
// access control lists are not looked at.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace binlane {

struct UserIds {
  uid_t uid = 0;
  std::vector<gid_t> groups;
};

// Of this process.
UserIds own_ids();

// The first folder or file on the way to `path` that keeps this user out, with owner, group and
// mode:
// "/var/log/mysql (mysql:adm, mode 2750)"; empty where it may read `path`. `group`, where given, is
// the group whose members could, or empty.
std::string read_obstacle(const UserIds& ids, const std::string& path,
                          std::string* group = nullptr);

}  // namespace binlane

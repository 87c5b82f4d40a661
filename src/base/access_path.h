// Answers whether a user may read a file, and if not, what on the way to the file prevents it. The
// answer goes by file modes alone; access control lists are not examined.
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
// mode: "/var/log/mysql (mysql:adm, mode 2750)"; empty if the user may read `path`. `group`, if
// given, receives the group whose members could read it, or becomes empty.
std::string read_obstacle(const UserIds& ids, const std::string& path,
                          std::string* group = nullptr);

}  // namespace binlane

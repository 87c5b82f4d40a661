#include "control/config/service_identity.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr const char* kUnit = "binlaned.service";
constexpr std::size_t kMaxShownBytes = std::size_t{64} * 1024;
constexpr int kMaxGroups = 256;

// The value of "Name=value" in one of the lines.
std::string_view shown_value(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=')
      return line.substr(name.size() + 1);
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
  return {};
}

const ::group* group_named(const std::string& name) {
  const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  return number ? ::getgrgid(static_cast<gid_t>(std::stoul(name))) : ::getgrnam(name.c_str());
}

void add_groups(std::string_view names, std::vector<gid_t>& groups) {
  while (!names.empty()) {
    const auto end = names.find(' ');
    if (const ::group* found = group_named(std::string(names.substr(0, end))))
      groups.push_back(found->gr_gid);
    if (end == std::string_view::npos) break;
    names.remove_prefix(end + 1);
  }
}

std::optional<ServiceIdentity> identity_of_user(const std::string& name) {
  const ::passwd* const found = ::getpwnam(name.c_str());
  if (found == nullptr || found->pw_uid == 0) return std::nullopt;
  ServiceIdentity identity;
  identity.user = name;
  identity.ids.uid = found->pw_uid;
  int count = kMaxGroups;
  auto& groups = identity.ids.groups;
  groups.resize(kMaxGroups);
  if (::getgrouplist(name.c_str(), found->pw_gid, groups.data(), &count) < 0) count = kMaxGroups;
  groups.resize(static_cast<std::size_t>(count));
  return identity;
}

// What `systemctl show` says of the unit; empty if there is no systemd.
std::string show_unit() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const FileDescriptor out(ends[0]);
  FileDescriptor in(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = "systemctl", verb = "show", unit = kUnit;
  std::string what = "--property=LoadState,User,Group,SupplementaryGroups";
  char* arguments[] = {program.data(), verb.data(), what.data(), unit.data(), nullptr};
  pid_t child = 0;
  const int spawned =
      ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  in.reset();
  if (spawned != 0) return {};
  std::string shown;
  std::array<char, 4096> buffer;
  for (ssize_t length = 0; shown.size() < kMaxShownBytes &&
                           (length = ::read(out.get(), buffer.data(), buffer.size())) > 0;)
    shown.append(buffer.data(), static_cast<std::size_t>(length));
  int status = 0;
  ::waitpid(child, &status, 0);
  return shown;
}

}  // namespace

std::optional<ServiceIdentity> identity_of(std::string_view shown) {
  const bool loaded = shown_value(shown, "LoadState") == "loaded";
  const std::string user(shown_value(shown, "User"));
  if (!loaded) return identity_of_user(kServiceUser);
  if (user.empty() || user == "root") return std::nullopt;
  auto identity = identity_of_user(user);
  if (!identity) return std::nullopt;
  add_groups(shown_value(shown, "Group"), identity->ids.groups);
  add_groups(shown_value(shown, "SupplementaryGroups"), identity->ids.groups);
  return identity;
}

std::vector<std::string> unreadable_for(const ServiceIdentity& identity, const Config& config,
                                        const std::string& path) {
  std::vector<std::string> files = {path};
  if (config.source) files.push_back(config.source->server_password_file);
  if (config.replica) {
    files.push_back(config.replica->feed_password_file);
    files.push_back(config.replica->server_password_file);
  }
  std::vector<std::string> problems;
  for (const std::string& file : files) {
    if (file.empty()) continue;
    const std::string obstacle = read_obstacle(identity.ids, file);
    if (obstacle.empty()) continue;
    problems.push_back(
        fmt::format("binlaned runs as user {}, which may not read {}: {}; run chgrp {} {} && chmod "
                    "0640 {}",
                    identity.user, file, obstacle, identity.user, file, file));
  }
  return problems;
}

std::optional<ServiceIdentity> service_identity() {
  if (::geteuid() != 0) return std::nullopt;
  return identity_of(show_unit());
}

}  // namespace binlane

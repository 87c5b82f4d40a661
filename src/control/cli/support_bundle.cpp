#include "control/cli/support_bundle.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "storage/file_util.h"

namespace binlane::cli {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// One answer of the daemon as a file; if the daemon refuses, the file says so.
void add_answer(const Context& context, const std::string& folder, const char* verb,
                const char* text_member = nullptr) {
  int code = kExitOk;
  const auto answer = ask(context, verb, code);
  const std::string name = fmt::format("{}/{}.{}", folder, verb, text_member ? "txt" : "json");
  if (!answer)
    write_file(name, fmt::format("not answered (exit code {})\n", code));
  else
    write_file(name, text_member ? document_of(*answer, text_member) : answer->dump(2) + "\n");
}

void add_host(const std::string& folder) {
  utsname name{};
  ::uname(&name);
  std::string text =
      fmt::format("{} {} {} {}\n", name.sysname, name.release, name.version, name.machine);
  for (const char* file : {"/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/mounts"}) {
    std::ifstream in(file);
    text += fmt::format("--- {}\n", file);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  write_file(folder + "/host.txt", text);
}

// A new file that only its owner may read; a link or a file in its place is an error.
FileDescriptor make_private_file(const std::string& path) {
  return FileDescriptor(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
}

// tar writes to a descriptor of ours, so that it opens no name; it is given names only, without a
// shell. Returns 0, or its exit status.
int pack(const std::string& parent, const std::string& name, int archive) {
  std::string program = "tar", mode = "-cz", at = "-C";
  std::string where = parent, what = name;
  char* arguments[] = {program.data(), mode.data(), at.data(), where.data(), what.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, archive, STDOUT_FILENO);
  pid_t child = 0;
  const int spawned = ::posix_spawnp(&child, "tar", &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return -1;
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

}  // namespace

int support_bundle(const Context& context, const std::string& folder) {
  int code = kExitOk;
  if (!ask(context, admin::kVerbPing, code)) return code;
  const std::string name =
      fmt::format("binlane-support-{:%Y%m%dT%H%M%S}", fmt::gmtime(std::time(nullptr)));
  const std::string inside = folder + "/" + name;
  if (::mkdir(inside.c_str(), kFolderMode) != 0) {
    fmt::print(stderr, "binlane: cannot create {}\n", inside);
    return kExitError;
  }
  for (const char* verb : {admin::kVerbStatus, admin::kVerbVariables, admin::kVerbLedger,
                           admin::kVerbPromotion, admin::kVerbRejoining})
    add_answer(context, inside, verb);
  add_answer(context, inside, admin::kVerbConfig, "text");
  add_answer(context, inside, admin::kVerbMetrics, "text");
  add_host(inside);
  const std::string archive = inside + ".tar.gz";
  const FileDescriptor file = make_private_file(archive);
  const std::string problem = file.is_open() ? std::string() : errno_text(errno);
  const int packed = file.is_open() ? pack(folder, name, file.get()) : -1;
  std::error_code error;
  std::filesystem::remove_all(inside, error);
  if (packed != 0) {
    fmt::print(stderr, "binlane: cannot create {}: {}\n", archive,
               problem.empty() ? "tar failed" : problem);
    // What tar has begun is useless; what somebody else has put there remains.
    if (file.is_open()) ::unlink(archive.c_str());
    return kExitError;
  }
  if (context.as_json)
    print_json({{"path", archive}});
  else
    fmt::print("{}\n", archive);
  return kExitOk;
}

}  // namespace binlane::cli

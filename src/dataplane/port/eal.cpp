#include "dataplane/port/eal.h"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/folder_check.h"

namespace binlane {
namespace {

std::atomic<bool> running{false};
thread_local std::string last_error;
// Drivers repeat themselves, for example at every poll of a link that is down.
thread_local std::string last_line;
thread_local std::uint64_t last_line_ns = 0;
constexpr std::uint64_t kRepeatNs = kNanosPerSecond;
constexpr std::size_t kMaxErrorText = 1000;
constexpr const char* kRuntimeVariable = "RUNTIME_DIRECTORY";  // EAL checks this one first

// A driver's "error" is a step that failed, such as a peer that disconnected. Its caller knows
// whether that is an error of ours, and reports it.
log::Level level_of_message() {
  const int level = rte_log_cur_msg_loglevel();
  if (level < static_cast<int>(RTE_LOG_ERR)) return log::Level::error;
  if (level <= static_cast<int>(RTE_LOG_WARNING)) return log::Level::warning;
  if (level <= static_cast<int>(RTE_LOG_INFO)) return log::Level::info;
  return log::Level::debug;
}

// What EAL and the drivers log, line by line.
ssize_t on_log_text(void*, const char* data, std::size_t size) {
  std::string_view text(data, size);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  if (text.empty()) return static_cast<ssize_t>(size);
  const log::Level level = level_of_message();
  if (rte_log_cur_msg_loglevel() <= static_cast<int>(RTE_LOG_ERR)) {
    if (!last_error.empty()) last_error += "; ";
    last_error += text;
    // The last words are the most informative.
    if (last_error.size() > kMaxErrorText) last_error.erase(0, last_error.size() - kMaxErrorText);
  }
  const std::uint64_t now_ns = monotonic_ns();
  if (text != last_line || now_ns - last_line_ns > kRepeatNs) {
    log::write(level, "dpdk.log", text);
    last_line = text;
    last_line_ns = now_ns;
  }
  return static_cast<ssize_t>(size);
}

void take_over_logging() {
  static FILE* const stream = [] {
    FILE* file = ::fopencookie(nullptr, "w", {nullptr, on_log_text, nullptr, nullptr});
    if (file != nullptr) ::setvbuf(file, nullptr, _IOLBF, BUFSIZ);
    return file;
  }();
  if (stream != nullptr) rte_openlog_stream(stream);
}

const char* eal_level(log::Level level) {
  switch (level) {
    case log::Level::debug:
      return "debug";
    case log::Level::info:
      return "info";
    case log::Level::warning:
      return "warning";
    case log::Level::error:
      return "error";
  }
  return "error";
}

// True if `arguments` already contain one of `options`, in any spelling that EAL's getopt takes.
bool says(const std::vector<std::string>& arguments,
          std::initializer_list<std::string_view> options) {
  return std::any_of(arguments.begin(), arguments.end(), [&](std::string_view argument) {
    return std::any_of(options.begin(), options.end(), [&](std::string_view option) {
      const bool is_long = option.starts_with("--");
      if (!is_long) return argument.starts_with(option) && !argument.starts_with("--");
      return argument == option || (argument.starts_with(option) && argument[option.size()] == '=');
    });
  });
}

// One lcore that floats over every CPU this thread may use: "0@(0,1,5)".
std::optional<std::string> floating_lcore(const cpu_set_t& allowed) {
  std::string cpus;
  for (unsigned cpu = 0; cpu < RTE_MAX_LCORE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (!cpus.empty()) cpus += ',';
    cpus += std::to_string(cpu);
  }
  if (cpus.empty()) return std::nullopt;
  return fmt::format("0@({})", cpus);
}

std::string file_prefix(std::string_view name) {
  std::string prefix = "binlane-";
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    prefix += plain ? c : '_';
  }
  return fmt::format("{}-{}", prefix, ::getpid());
}

bool usable_folder(const char* path) {
  struct stat info {};
  return path != nullptr && ::stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
         ::access(path, W_OK | X_OK) == 0;
}

// Gives EAL a runtime folder that it can use, for as long as it starts, and removes afterwards what
// is left empty there.
class RuntimeFolder {
 public:
  explicit RuntimeFolder(const std::string& wanted) {
    const char* inherited = std::getenv(kRuntimeVariable);
    if (inherited != nullptr) inherited_ = inherited;
    if (!wanted.empty()) {
      if (::mkdir(wanted.c_str(), 0700) != 0 && errno != EEXIST) {
        throw StartupError(
            fmt::format("cannot make DPDK's runtime folder {}: {}", wanted, errno_text(errno)));
      }
      // EAL keeps there what it maps, and the sockets on which it takes orders.
      if (const std::string problem = folder_problem(wanted); !problem.empty())
        throw StartupError(fmt::format("DPDK's runtime folder: {}", problem));
      own_ = wanted;
    } else {
      const char* usual = inherited != nullptr ? inherited
                          : ::getuid() == 0    ? "/var/run"
                                               : std::getenv("XDG_RUNTIME_DIR");
      if (usable_folder(usual)) return;
      std::string made = "/tmp/binlane-XXXXXX";
      if (::mkdtemp(made.data()) == nullptr) {
        throw StartupError(
            fmt::format("DPDK needs a runtime folder: set XDG_RUNTIME_DIR to one "
                        "that can be written, for {} cannot be made: {}",
                        made, errno_text(errno)));
      }
      own_ = made;
      temporary_ = true;
    }
    ::setenv(kRuntimeVariable, own_.c_str(), 1);
  }

  ~RuntimeFolder() {
    if (!own_.empty()) {
      if (inherited_) {
        ::setenv(kRuntimeVariable, inherited_->c_str(), 1);
      } else {
        ::unsetenv(kRuntimeVariable);
      }
    }
    // Each is removed only if it is empty. The shared parent of EAL's own choice remains, because
    // another process may be about to use it.
    const char* used = rte_eal_get_runtime_dir();
    if (used != nullptr && *used != '\0') ::rmdir(used);
    if (!own_.empty()) ::rmdir((own_ + "/dpdk").c_str());
    if (temporary_) ::rmdir(own_.c_str());
  }

  RuntimeFolder(const RuntimeFolder&) = delete;
  RuntimeFolder& operator=(const RuntimeFolder&) = delete;

 private:
  std::optional<std::string> inherited_;
  std::string own_;
  bool temporary_ = false;
};

std::vector<std::string> full_arguments(const EalConfig& config, const cpu_set_t& allowed) {
  const std::vector<std::string>& given = config.arguments;
  std::vector<std::string> all = {"binlaned"};
  all.insert(all.end(), given.begin(), given.end());
  if (!says(given, {"--file-prefix"})) all.push_back("--file-prefix=" + file_prefix(config.name));
  if (!says(given, {"--log-level"})) {
    all.push_back(fmt::format("--log-level={}", eal_level(config.log_level)));
  }
  if (!says(given, {"--no-telemetry", "--telemetry"})) all.emplace_back("--no-telemetry");
  // No other process attaches to ours, so nothing need be in the file system. With hugepages EAL
  // needs the files to clean up after a kill.
  if (says(given, {"--no-huge"}) && !says(given, {"--no-shconf"})) {
    all.emplace_back("--no-shconf");
  }
  if (!says(given, {"--lcores", "-l", "-c", "-S", "-s"})) {
    if (const auto lcore = floating_lcore(allowed)) all.push_back("--lcores=" + *lcore);
  }
  for (const std::string& device : config.pci_devices) {
    all.emplace_back("-a");
    all.push_back(device);
  }
  if (config.pci_devices.empty() && !says(given, {"--no-pci", "--allow", "-a", "--block", "-b"})) {
    all.emplace_back("--no-pci");
  }
  return all;
}

}  // namespace

void eal_start(const EalConfig& config) {
  if (running.load()) throw StartupError("DPDK is already running in this process");
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const int unknown = ::pthread_getaffinity_np(::pthread_self(), sizeof allowed, &allowed);
  if (unknown != 0) {
    throw StartupError(fmt::format("cannot read the CPU affinity: {}", errno_text(unknown)));
  }
  std::vector<std::string> arguments = full_arguments(config, allowed);
  std::vector<char*> argv;  // EAL permutes it
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  take_over_logging();
  last_error.clear();
  int result = 0;
  {
    const RuntimeFolder folder(config.runtime_dir);
    result = rte_eal_init(static_cast<int>(arguments.size()), argv.data());
  }
  const int code = rte_errno;
  ::pthread_setaffinity_np(::pthread_self(), sizeof allowed, &allowed);
  if (result < 0) {
    const std::string reason = take_eal_error();
    throw StartupError(fmt::format("DPDK did not start: {} (arguments: {})",
                                   reason.empty() ? rte_strerror(code) : reason,
                                   fmt::join(arguments.begin() + 1, arguments.end(), " ")));
  }
  last_error.clear();
  running.store(true);
}

bool eal_running() noexcept {
  return running.load();
}

std::string take_eal_error() {
  return std::exchange(last_error, {});
}

EalThread::EalThread() {
  // The thread that started EAL has an lcore id already.
  if (!eal_running() || rte_lcore_id() != LCORE_ID_ANY) return;
  registered_ = rte_thread_register() == 0;
}

EalThread::~EalThread() {
  if (registered_) rte_thread_unregister();
}

}  // namespace binlane

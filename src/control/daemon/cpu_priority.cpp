#include "control/daemon/cpu_priority.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr const char* kGroupFile = "/proc/self/autogroup";
constexpr std::string_view kLeastShare = "19";

}  // namespace

GivenWay give_way_to_server(unsigned cores) {
  if (cores >= kCoresToSpare) return GivenWay::not_needed;
  if (::getsid(0) != ::getpid()) return GivenWay::not_a_group;
  const FileDescriptor file(::open(kGroupFile, O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return GivenWay::not_a_group;
  if (::write(file.get(), kLeastShare.data(), kLeastShare.size()) !=
      static_cast<ssize_t>(kLeastShare.size())) {
    log::warning("give_way", "{} cannot be written: {}", kGroupFile, errno_text(errno));
    return GivenWay::failed;
  }
  log::info("give_way", "{} cores: the server's threads come first", cores);
  return GivenWay::done;
}

}  // namespace binlane

#include "bare_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "storage/journal/journal.h"

namespace binlane::bench {
namespace {

FileDescriptor make(const std::string& path, ConstBytes zeros) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600));
  if (!file.is_open() || write_all(file.get(), zeros, 0) != 0 || ::fsync(file.get()) != 0)
    throw StartupError(fmt::format("cannot make {}: {}", path, errno_text(errno)));
  return file;
}

}  // namespace

BareFile::BareFile(const std::string& path, std::uint32_t blocks)
    : image_(std::size_t{blocks} * kBlockSize),
      file_(make(path, image_.bytes())),
      ring_(file_.get(), image_.bytes()) {}

}  // namespace binlane::bench

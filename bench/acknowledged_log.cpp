#include "acknowledged_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/assert.h"
#include "base/error.h"

namespace binlane::bench {
namespace {

// Five decimal numbers of at most 20 digits, blanks, the mark and the line's end.
constexpr std::size_t kLineCapacity = 128;
constexpr mode_t kFileMode = 0644;

}  // namespace

AcknowledgedLog::AcknowledgedLog(const std::string& path) {
  if (path.empty()) return;
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kFileMode);
  if (fd_ < 0) {
    throw StartupError(
        fmt::format("cannot open the acknowledged log {}: {}", path, errno_text(errno)));
  }
}

AcknowledgedLog::~AcknowledgedLog() {
  if (fd_ >= 0) ::close(fd_);
}

bool AcknowledgedLog::acknowledged(const Transaction& transaction) const noexcept {
  return append("", transaction);
}

bool AcknowledgedLog::in_doubt(const Transaction& transaction) const noexcept {
  return append("? ", transaction);
}

bool AcknowledgedLog::append(const char* mark, const Transaction& transaction) const noexcept {
  if (fd_ < 0) return true;
  std::array<char, kLineCapacity> line{};
  const auto end = fmt::format_to_n(line.data(), line.size(), "{}{} {} {} {} {}\n", mark,
                                    transaction.client, transaction.first_sequence,
                                    transaction.rows, transaction.begun_ns, transaction.ended_ns);
  BL_ASSERT(end.size <= line.size());
  ssize_t written = 0;
  do {
    written = ::write(fd_, line.data(), end.size);
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(end.size);
}

}  // namespace binlane::bench

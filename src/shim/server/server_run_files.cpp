#include "shim/server/server_run_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/position.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/binlog_index_tail.h"
#include "shim/binlog/binlog_paths.h"

namespace binlane {
namespace {

// In a format description's body: format version (2), server version (50), creation time (4).
constexpr std::size_t kCreatedOffset = kBinlogMagicSize + kEventHeaderSize + 2 + 50;
constexpr std::size_t kFileHeadSize = kCreatedOffset + 4;
// A line of the index is a path and a newline.
constexpr std::size_t kIndexTailSize = 8192;

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int value() const noexcept { return value_; }

 private:
  const int value_;
};

struct Created {
  std::uint32_t time = 0;
  int error = 0;  // errno; EBADMSG: not a binlog
};

Created read_created(const std::string& path) {
  const Descriptor file(path);
  if (file.value() < 0) return {0, errno};
  std::array<std::byte, kFileHeadSize> head;
  const ssize_t size = pread(file.value(), head.data(), head.size(), 0);
  if (size < 0) return {0, errno};
  if (static_cast<std::size_t>(size) < head.size() ||
      !std::equal(kBinlogMagic.begin(), kBinlogMagic.end(), head.begin()) ||
      parse_event_header(head.data() + kBinlogMagicSize).type != EventType::format_description)
    return {0, EBADMSG};
  return {load_le<std::uint32_t>(head.data() + kCreatedOffset), 0};
}

}  // namespace

BinlogIndexTail read_binlog_index_tail(const std::string& path) {
  const Descriptor file(path);
  struct stat status {};
  if (file.value() < 0 || fstat(file.value(), &status) != 0)
    return {0, fmt::format("{}: {}", path, errno_text(errno))};
  const auto from = std::max<off_t>(0, status.st_size - static_cast<off_t>(kIndexTailSize));
  std::string tail(kIndexTailSize, '\0');
  const ssize_t size = pread(file.value(), tail.data(), tail.size(), from);
  if (size < 0) return {0, fmt::format("{}: {}", path, errno_text(errno))};
  tail.resize(static_cast<std::size_t>(size));
  // Backwards over the whole lines: the server may be writing the last one.
  std::string line;
  for (auto end = tail.rfind('\n');
       line.empty() && end != std::string::npos && end < tail.size();) {
    const auto before = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    const auto begin = before == std::string::npos ? 0 : before + 1;
    line = trimmed_index_line(tail.substr(begin, end - begin));
    end = before;
  }
  const std::uint32_t number = binlog_file_number(line);
  if (number == 0) return {0, fmt::format("{}: the last line names no binlog file", path)};
  return {number, {}};
}

ServerRunFiles find_server_run_files(const std::string& index_path,
                                     const std::string& basename_path) {
  const BinlogIndexTail tail = read_binlog_index_tail(index_path);
  if (tail.newest_file == 0) return {0, 0, tail.error};
  for (std::uint32_t number = tail.newest_file; number > 0; --number) {
    const std::string path = binlog_file_name(basename_path, number);
    const Created created = read_created(path);
    if (created.error == ENOENT && number < tail.newest_file) {
      // Purged: every remaining file belongs to this run.
      return {number + 1, tail.newest_file, {}};
    }
    if (created.error != 0)
      return {0, tail.newest_file, fmt::format("{}: {}", path, errno_text(created.error))};
    if (created.time != 0) return {number, tail.newest_file, {}};
  }
  return {1, tail.newest_file, {}};
}

}  // namespace binlane

#include "control/failover/tail_cut.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/error.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/binlog_paths.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr mode_t kIndexMode = 0660;

class SystemCutFiles final : public CutFiles {
 public:
  bool exists(const std::string& path) override { return size(path).has_value(); }

  std::optional<std::uint64_t> size(const std::string& path) override {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
  }

  int read(const std::string& path, std::string& text) override {
    std::ifstream in(path, std::ios::binary);
    if (!in) return errno == 0 ? EIO : errno;
    text.assign(std::istreambuf_iterator<char>(in), {});
    return in.bad() ? EIO : 0;
  }

  int replace(const std::string& path, const std::string& text) override {
    struct stat owner {};
    if (::stat(path.c_str(), &owner) != 0) return errno;
    const std::string temporary = path + ".binlane";
    const FileDescriptor out(::open(
        temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kIndexMode));
    if (!out.is_open()) return errno;
    // The server may run as another user than this daemon, and must be able to write the file.
    if (::fchown(out.get(), owner.st_uid, owner.st_gid) != 0) return errno;
    if (const int error = write_all(out.get(), std::as_bytes(std::span(text)), 0); error != 0)
      return error;
    if (::fsync(out.get()) != 0) return errno;
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errno;
    return sync_directory(parent_directory(path));
  }

  int rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  }

  int sync_folder(const std::string& path) override { return sync_directory(path); }

  int truncate(const std::string& path, std::uint64_t length) override {
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(length)) != 0 ||
        ::fsync(file.get()) != 0)
      return errno;
    return 0;
  }
};

}  // namespace

CutFiles& CutFiles::system() {
  static SystemCutFiles files;
  return files;
}

std::string TailCut::path(std::uint32_t number) const {
  return parent_directory(base_) + '/' +
         binlog_file_name(base_.substr(base_.rfind('/') + 1), number);
}

std::string TailCut::started(const std::string& trace) {
  server_was_started_ = true;
  return fmt::format(
      "the server was started in the middle of the cut at {} ({}), so its recovery has committed "
      "what was to be cut off",
      to_string(cut_.at), trace);
}

// A server that starts always begins another binlog file, and lists it.
std::string TailCut::look_for_a_start(const std::string& index_text) {
  std::istringstream lines(index_text);
  for (std::string line; std::getline(lines, line);) {
    if (binlog_file_number(trimmed_index_line(line)) > cut_.last)
      return started("its index names " + line);
  }
  if (files_.exists(path(cut_.last + 1))) return started(path(cut_.last + 1) + " exists");
  for (std::uint32_t number = cut_.at.file + 1; number <= cut_.last; ++number) {
    if (files_.exists(path(number)) && files_.exists(aside(number)))
      return started(path(number) + " exists again");
  }
  return {};
}

std::string TailCut::run(const std::function<void(std::string)>& report) {
  const auto failed = [](const std::string& path, int error) {
    return fmt::format("{}: {}", path, errno_text(error));
  };
  std::string text;
  if (const int error = files_.read(index_, text); error != 0) return failed(index_, error);
  if (std::string problem = look_for_a_start(text); !problem.empty()) return problem;
  const std::string cut_file = path(cut_.at.file);
  const auto size = files_.size(cut_file);
  if (!size || *size < cut_.at.offset)
    return fmt::format("{} does not reach {}, so it is not the file that was to be cut", cut_file,
                       to_string(cut_.at));
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (binlog_file_number(trimmed_index_line(line)) <= cut_.at.file) kept += line + '\n';
  }
  if (kept != text) {
    if (const int error = files_.replace(index_, kept); error != 0) return failed(index_, error);
  }
  for (std::uint32_t number = cut_.last; number > cut_.at.file; --number) {
    if (!files_.exists(path(number))) continue;  // already set aside
    if (const int error = files_.rename(path(number), aside(number)); error != 0)
      return failed(path(number), error);
    report("set aside as " + aside(number));
  }
  // The renames must be durable before the truncation. Otherwise a file could reappear after a
  // power cut, and follow a binlog that ends too early.
  const std::string folder = parent_directory(base_);
  if (const int error = files_.sync_folder(folder); error != 0) return failed(folder, error);
  if (*size != cut_.at.offset) {
    if (const int error = files_.truncate(cut_file, cut_.at.offset); error != 0)
      return failed(cut_file, error);
  }
  report(
      fmt::format("cut off at {}; when it starts, the server rolls back what was prepared after it",
                  to_string(cut_.at)));
  return {};
}

}  // namespace binlane

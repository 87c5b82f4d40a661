#include "shim/binlog_index.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/position.h"

namespace binlane {
namespace {

constexpr std::size_t kMaxIndexSize = std::size_t{16} << 20;

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

BinlogIndex failed(std::string error) {
  BinlogIndex index;
  index.error = std::move(error);
  return index;
}

// The whole file's text; `error` is set when it cannot be had.
std::string read_text(const std::string& path, std::string& error) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rbe"));
  if (!file) {
    error = fmt::format("cannot open {}: {}", path, errno_text(errno));
    return {};
  }
  std::string text;
  char buffer[4096];
  std::size_t count = 0;
  while ((count = std::fread(buffer, 1, sizeof buffer, file.get())) > 0) {
    text.append(buffer, count);
    if (text.size() <= kMaxIndexSize) continue;
    error = fmt::format("{} is larger than {} bytes", path, kMaxIndexSize);
    return {};
  }
  if (std::ferror(file.get()) != 0) error = fmt::format("cannot read {}", path);
  return text;
}

// Takes one line into the index; the reason why not otherwise.
std::string add_line(const std::string& line, const std::string& data_directory,
                     BinlogIndex& index) {
  std::filesystem::path name(line);
  if (name.is_relative()) name = std::filesystem::path(data_directory) / name;
  name = name.lexically_normal();
  const std::uint32_t number = binlog_file_number(name.filename().string());
  if (number == 0) return fmt::format("'{}' is not the name of a binlog file", line);
  const std::string directory = name.parent_path().string();
  const std::string basename = name.stem().string();
  if (index.last == 0) {
    index.directory = directory;
    index.basename = basename;
    index.first = number;
  } else if (basename != index.basename || directory != index.directory) {
    return fmt::format("'{}' has another base name than the files before it", line);
  } else if (number != index.last + 1) {
    return fmt::format("'{}' does not follow number {}", line, index.last);
  }
  index.last = number;
  return {};
}

}  // namespace

BinlogIndex read_binlog_index(const std::string& path, const std::string& data_directory) {
  std::string error;
  const std::string text = read_text(path, error);
  if (!error.empty()) return failed(error);
  BinlogIndex index;
  std::size_t begin = 0;
  std::size_t end = 0;
  while ((end = text.find('\n', begin)) != std::string::npos) {
    if (end > begin) error = add_line(text.substr(begin, end - begin), data_directory, index);
    if (!error.empty()) return failed(fmt::format("binlog index {}: {}", path, error));
    begin = end + 1;
  }
  if (index.last == 0) return failed(fmt::format("binlog index {} lists no file", path));
  return index;
}

}  // namespace binlane

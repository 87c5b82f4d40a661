#include "shim/binlog/binlog_index.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/position.h"
#include "shim/binlog/binlog_paths.h"

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

// The whole file's text; `error` is set if it cannot be read.
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

// Takes one line into the index; otherwise returns the reason why not.
std::string add_line(const std::string& line, const std::string& base_path, BinlogIndex& index) {
  if (line.empty()) return {};
  const std::uint32_t number = binlog_file_number(line);
  if (number == 0) return fmt::format("'{}' is not the name of a binlog file", line);
  if (!is_binlog_of(line, base_path))
    return fmt::format("'{}' is not one of the binlogs {}.NNNNNN that the server writes", line,
                       base_path);
  if (number == index.last) return {};
  if (number < index.last)
    return fmt::format(
        "'{}' follows number {}: the index was edited, or contains two sequences of numbers", line,
        index.last);
  if (index.last == 0 || number != index.last + 1) index.first = number;
  index.last = number;
  return {};
}

}  // namespace

BinlogIndex read_binlog_index(const std::string& path, const std::string& base_path) {
  std::string error;
  const std::string text = read_text(path, error);
  if (!error.empty()) return failed(error);
  BinlogIndex index;
  index.directory = folder_of_path(base_path);
  index.basename = std::filesystem::path(base_path).filename().string();
  std::size_t begin = 0;
  std::size_t end = 0;
  while ((end = text.find('\n', begin)) != std::string::npos) {
    error = add_line(trimmed_index_line(text.substr(begin, end - begin)), base_path, index);
    if (!error.empty()) return failed(fmt::format("binlog index {}: {}", path, error));
    begin = end + 1;
  }
  if (index.last == 0) return failed(fmt::format("binlog index {} lists no file", path));
  return index;
}

std::uint32_t oldest_present(const BinlogIndex& index) {
  std::uint32_t oldest = index.last;
  std::error_code error;
  while (oldest > index.first &&
         std::filesystem::exists(
             index.directory + '/' + binlog_file_name(index.basename, oldest - 1), error))
    --oldest;
  return oldest;
}

}  // namespace binlane

#include "shim/binlog/binlog_paths.h"

#include <filesystem>

namespace binlane {
namespace {

namespace fs = std::filesystem;

// `folder` ends with all the names of `part`.
bool ends_with(const fs::path& folder, const fs::path& part) {
  auto at = folder.end();
  for (auto name = part.end(); name != part.begin();) {
    --name;
    if (at == folder.begin() || *--at != *name) return false;
  }
  return true;
}

// Without "." and a slash at the end.
fs::path tidy(const fs::path& folder) {
  fs::path path = folder.lexically_normal();
  if (path == ".") return {};
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

std::string resolve_server_path(const std::string& path, const std::string& data_directory) {
  if (path.empty()) return {};
  fs::path resolved(path);
  if (resolved.is_relative()) resolved = fs::path(data_directory) / resolved;
  return resolved.lexically_normal().string();
}

std::string folder_of_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == 0) return "/";
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

bool is_binlog_of(const std::string& line, const std::string& base) {
  const fs::path name(line);
  const fs::path base_path(base);
  if (name.stem() != base_path.filename()) return false;
  const fs::path named = tidy(name.parent_path());
  const fs::path folder = tidy(base_path.parent_path());
  if (named.is_relative() ? ends_with(folder, named) : named == folder) return true;
  // The same folder by another name: the data folder may be reached by a symbolic link.
  std::error_code error;
  return named.is_absolute() && fs::equivalent(named, folder, error);
}

std::string trimmed_index_line(const std::string& line) {
  constexpr const char* kBlanks = " \t\r\n";
  const auto first = line.find_first_not_of(kBlanks);
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace binlane

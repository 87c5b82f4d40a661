#include "host_files.h"

#include <algorithm>

#include "base/assert.h"
#include "base/position.h"

namespace binlane::sim {

int HostFiles::sync_directory(const std::string&) {
  if (sync_error != 0) return sync_error;
  for (auto& [path, file] : files_) file->name_synced = true;
  return 0;
}

std::optional<std::uint64_t> HostFiles::size(const std::string& path) {
  const auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second->data.size();
}

std::int64_t HostFiles::read(const std::string& path, std::uint64_t offset, MutableBytes bytes) {
  const auto found = files_.find(path);
  if (found == files_.end()) return -ENOENT;
  const auto& data = found->second->data;
  if (offset >= data.size()) return 0;
  const auto count = std::min<std::uint64_t>(bytes.size(), data.size() - offset);
  std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), count, bytes.begin());
  return static_cast<std::int64_t>(count);
}

int HostFiles::truncate(const std::string& path, std::uint64_t size) {
  const auto found = files_.find(path);
  if (found == files_.end()) return ENOENT;
  found->second->data.resize(size);
  return 0;
}

int HostFiles::open(const std::string& path, int& handle) {
  FilePointer& file = files_[path];
  if (!file) file = std::make_shared<File>();
  const auto free = std::find(handles_.begin(), handles_.end(), nullptr);
  handle = static_cast<int>(free - handles_.begin());
  if (free == handles_.end()) {
    handles_.push_back(file);
  } else {
    *free = file;
  }
  return 0;
}

void HostFiles::close(int handle) noexcept {
  handles_[static_cast<std::size_t>(handle)] = nullptr;
}

int HostFiles::write(int handle, ConstBytes bytes, std::uint64_t offset, std::size_t& written) {
  written = 0;
  File& file = *handles_.at(static_cast<std::size_t>(handle));
  if (write_error != 0) return write_error;
  // A disk that fills up during a write takes a part of it.
  if (full) bytes = bytes.first(std::min<std::size_t>(bytes.size(), bytes.size() / 3));
  if (!bytes.empty()) {
    if (file.data.size() < offset + bytes.size()) file.data.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), file.data.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  written = bytes.size();
  return full ? ENOSPC : 0;
}

int HostFiles::sync(int handle) {
  if (sync_error != 0) return sync_error;
  File& file = *handles_.at(static_cast<std::size_t>(handle));
  file.synced = file.data;
  return 0;
}

std::vector<ArchiveEntry> HostFiles::list(const std::string& directory,
                                          const std::string& basename) {
  std::vector<ArchiveEntry> entries;
  for (const auto& [path, file] : files_) {
    const std::uint32_t number = binlog_file_number(path);
    if (number != 0 && path == directory + "/" + binlog_file_name(basename, number))
      entries.push_back({number, file->data.size(), 0});
  }
  std::sort(entries.begin(), entries.end(),
            [](const ArchiveEntry& a, const ArchiveEntry& b) { return a.number < b.number; });
  return entries;
}

int HostFiles::remove(const std::string& path) {
  files_.erase(path);
  return 0;
}

int HostFiles::link(const std::string& from, const std::string& to) {
  const auto found = files_.find(from);
  if (found == files_.end()) return ENOENT;
  if (files_.count(to) > 0) return EEXIST;
  files_[to] = found->second;
  return 0;
}

int HostFiles::remove_directory(const std::string& path) {
  std::erase_if(files_, [&](const auto& file) { return file.first.starts_with(path + "/"); });
  return 0;
}

void HostFiles::cut_power(Random& random) {
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = *it->second;
    if (!file.name_synced && random.one_in(2)) {
      it = files_.erase(it);
      continue;
    }
    ++it;
    // Any part of the bytes that were not synced may remain, or read as zeros.
    std::vector<std::byte> left = file.synced;
    if (file.data.size() > left.size()) {
      const std::uint64_t kept = random.between(left.size(), file.data.size());
      const bool zeros = random.one_in(3);
      for (std::size_t at = left.size(); at < kept; ++at)
        left.push_back(zeros ? std::byte{0} : file.data[at]);
    }
    file.data = left;
    file.synced = std::move(left);
    file.name_synced = true;
  }
}

void HostFiles::remove_all() {
  files_.clear();
}

const std::vector<std::byte>* HostFiles::data(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second->data;
}

ConstBytes HostFiles::durable(const std::string& path) const {
  const auto found = files_.find(path);
  if (found == files_.end() || !found->second->name_synced) return {};
  return found->second->synced;
}

}  // namespace binlane::sim

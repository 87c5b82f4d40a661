#include "binlog_store.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/stream_digest.h"

namespace binlane::sim {

void BinlogStore::create(std::uint32_t number) {
  durable_known_ = false;
  BL_ASSERT(!has(number));
  files_[number] = std::make_shared<File>();
}

void BinlogStore::append(std::uint32_t number, ConstBytes bytes) {
  durable_known_ = false;
  auto& data = files_.at(number)->data;
  data.insert(data.end(), bytes.begin(), bytes.end());
}

void BinlogStore::sync(std::uint32_t number) {
  sync_to(number, file(number).data.size());
}

void BinlogStore::sync_to(std::uint32_t number, std::uint64_t size) {
  durable_known_ = false;
  File& file = *files_.at(number);
  file.synced = std::max(file.synced, std::min<std::uint64_t>(size, file.data.size()));
  file.name_synced = true;
  if (file.data.size() > kInUseOffset) file.synced_flags = file.data[kInUseOffset];
}

void BinlogStore::clear_in_use(std::uint32_t number) {
  File& file = *files_.at(number);
  if (file.data.size() > kInUseOffset) file.data[kInUseOffset] &= ~kInUseBit;
}

void BinlogStore::overwrite(std::uint32_t number, ConstBytes bytes) {
  auto& data = files_.at(number)->data;
  BL_ASSERT(bytes.size() <= data.size());
  std::ranges::copy(bytes, data.begin());
}

void BinlogStore::truncate(std::uint32_t number, std::uint64_t size) {
  durable_known_ = false;
  File& file = *files_.at(number);
  BL_ASSERT(size <= file.data.size());
  file.data.resize(size);
  file.synced = std::min(file.synced, size);
}

void BinlogStore::cut(const Position& to) {
  files_.erase(files_.upper_bound(to.file), files_.end());
  truncate(to.file, to.offset);
}

void BinlogStore::purge_before(std::uint32_t number) {
  durable_known_ = false;
  for (auto& [at, file] : files_) {
    if (at < number) file->purged = true;
  }
}

void BinlogStore::remove(std::uint32_t number) {
  durable_known_ = false;
  files_.at(number)->purged = true;
  files_.erase(number);
}

void BinlogStore::reset() {
  durable_known_ = false;
  for (auto& [number, file] : files_) file->purged = true;
  files_.clear();
}

void BinlogStore::cut_power(Random& random) {
  durable_known_ = false;
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = *it->second;
    if (!file.name_synced && random.one_in(2)) {
      it = files_.erase(it);
      continue;
    }
    ++it;
    if (file.purged || file.synced == file.data.size()) continue;
    const std::uint64_t kept = random.between(file.synced, file.data.size());
    if (file.synced > kInUseOffset && random.one_in(2)) file.data[kInUseOffset] = file.synced_flags;
    // The size may reach the disk before the bytes do.
    if (random.one_in(4)) {
      std::fill(file.data.begin() + static_cast<std::ptrdiff_t>(kept), file.data.end(),
                std::byte{0});
    } else {
      file.data.resize(kept);
    }
    // After the restart the page cache holds what was on the disk, so all of it is synced.
    file.synced = file.data.size();
    file.name_synced = true;
  }
}

std::uint32_t BinlogStore::first() const {
  for (const auto& [number, file] : files_) {
    if (!file->purged) return number;
  }
  return 0;
}

std::uint32_t BinlogStore::last() const {
  return files_.empty() ? 0 : files_.rbegin()->first;
}

Position BinlogStore::durable_until() const {
  if (durable_known_) return durable_;
  Position until;
  for (const auto& [number, file] : files_) {
    until = {number, file->synced};
    if (!file->purged && (file->synced < file->data.size() || !file->name_synced)) break;
  }
  durable_ = until;
  durable_known_ = true;
  return until;
}

int BinlogStore::open(std::uint32_t number) {
  const auto found = files_.find(number);
  if (found == files_.end() || found->second->purged) return -ENOENT;
  const auto free = std::find(handles_.begin(), handles_.end(), nullptr);
  const auto index = free - handles_.begin();
  if (free == handles_.end()) {
    handles_.push_back(found->second);
  } else {
    *free = found->second;
  }
  return static_cast<int>(index);
}

void BinlogStore::close(FileHandle handle) {
  handles_.at(static_cast<std::size_t>(handle)) = nullptr;
}

const BinlogStore::File& BinlogStore::opened(FileHandle handle) const {
  const FilePointer& file = handles_.at(static_cast<std::size_t>(handle));
  BL_ASSERT(file != nullptr);
  return *file;
}

bool BinlogStore::replaced(FileHandle handle, std::uint32_t number) const {
  const auto found = files_.find(number);
  return found == files_.end() || found->second->purged || found->second.get() != &opened(handle);
}

void BinlogStore::sync_opened(FileHandle handle) {
  const File& file = opened(handle);
  for (const auto& [number, named] : files_) {
    if (named.get() == &file) return sync(number);
  }
}

std::int64_t BinlogView::read_at(FileHandle handle, std::uint64_t offset,
                                 MutableBytes bytes) const {
  const auto& data = store_->opened(handle).data;
  if (offset >= data.size()) return 0;
  const auto count = std::min<std::uint64_t>(bytes.size(), data.size() - offset);
  std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), count, bytes.begin());
  return static_cast<std::int64_t>(count);
}

std::size_t BinlogView::name_size(std::uint32_t number) const {
  return binlog_file_name(kBasename, number).size();
}

}  // namespace binlane::sim

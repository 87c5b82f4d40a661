// What journal tests share: an aligned image, and texts as bytes.
#pragma once

#include <cstdlib>
#include <memory>
#include <string_view>

#include "storage/journal/block.h"

namespace binlane {

class JournalMemory {
 public:
  explicit JournalMemory(std::uint32_t block_count)
      : size_(std::size_t{block_count} * kBlockSize),
        data_(static_cast<std::byte*>(std::aligned_alloc(kBlockSize, size_)), &std::free) {
    std::memset(data_.get(), 0, size_);
  }
  MutableBytes image() { return {data_.get(), size_}; }
  Block& block(std::uint64_t slot) {
    return *reinterpret_cast<Block*>(data_.get() + slot * kBlockSize);
  }
  std::uint32_t block_count() const { return static_cast<std::uint32_t>(size_ / kBlockSize); }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

inline ConstBytes test_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace binlane

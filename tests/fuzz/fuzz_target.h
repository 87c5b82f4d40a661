// What the fuzz targets share: the entry that libFuzzer calls, and how a target splits its input.
//
// A target checks properties, not only that nothing crashes: what is accepted encodes to the same
// bytes again, what comes in pieces means the same as in one, and nothing runs for longer than its
// input allows. BL_ASSERT checks these, in the target as in the product. The input decides
// everything: no clock, no randomness, nothing kept from one input to the next.
//
// A fuzzer would never get past the checksums. So an input says where a target has to insert the
// correct one (the flag `sealed` of each target's records): then the content is wrong.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace binlane::fuzz {

// Reads an input from front to back; after its end there are zeros and empty chunks.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  ConstBytes rest() const { return rest_; }

  template <std::unsigned_integral T>
  T number() {
    T value{0};
    const ConstBytes taken = take(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  std::uint8_t byte() { return number<std::uint8_t>(); }
  // Less at the end of the input.
  ConstBytes take(std::size_t count) {
    const ConstBytes taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  // Bytes after their length (two bytes).
  ConstBytes chunk() { return take(number<std::uint16_t>()); }

 private:
  ConstBytes rest_;
};

// Builds an input as Input reads it; for the seeds.
class Output {
 public:
  template <std::unsigned_integral T>
  Output& number(T value) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    return *this;
  }
  Output& byte(std::uint8_t value) { return number(value); }
  Output& bytes(ConstBytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Output& chunk(ConstBytes bytes) {
    return number(static_cast<std::uint16_t>(bytes.size())).Output::bytes(bytes);
  }
  const std::vector<std::byte>& get() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

inline std::string_view text_of(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ConstBytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
template <class T>
ConstBytes object_bytes(const T& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

}  // namespace binlane::fuzz

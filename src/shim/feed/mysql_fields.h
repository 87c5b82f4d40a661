// The fields that the packets of the MySQL client/server protocol are made of.
//
// Pure. What is read may come from a stranger: every read is checked against the end.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace binlane::mysql {

using Payload = std::vector<std::byte>;

// Reads a payload from front to back. A read past the end gives zeros or nothing, and failed() is
// true from then on: callers read all the fields they want and ask once.
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    const ConstBytes taken = bytes(sizeof(T));
    return taken.size() == sizeof(T) ? load_le<T>(taken.data()) : T{0};
  }
  ConstBytes bytes(std::size_t count);
  // Up to a zero byte, which is taken too.
  std::string text_to_zero();
  // A length-encoded number; NULL counts as failure.
  std::uint64_t lenenc_number();
  // Bytes after a length-encoded length.
  ConstBytes lenenc_bytes();
  // The same as text, or nothing for NULL.
  std::optional<std::string> lenenc_text_or_null();
  ConstBytes rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  ConstBytes rest_;
  bool failed_ = false;
};

// Appends fields to a payload.
class Writer {
 public:
  template <std::unsigned_integral T>
  Writer& number(T value) {
    const std::size_t at = payload_.size();
    payload_.resize(at + sizeof(T));
    store_le(payload_.data() + at, value);
    return *this;
  }
  Writer& bytes(ConstBytes bytes);
  Writer& text(std::string_view text);
  Writer& text_and_zero(std::string_view text);
  Writer& zeros(std::size_t count);
  Writer& lenenc_number(std::uint64_t value);
  Writer& lenenc_text(std::string_view text);
  Writer& null();
  Payload take() { return std::move(payload_); }

 private:
  Payload payload_;
};

std::string to_text(ConstBytes bytes);
ConstBytes as_bytes(std::string_view text);

// A stranger's text, fit to be shown, logged and sent on: its first `length` bytes, in which only
// printable ASCII is unchanged.
std::string shown(std::string_view text, std::size_t length);

}  // namespace binlane::mysql

#include "shim/feed/mysql_fields.h"

#include <algorithm>

namespace binlane::mysql {
namespace {

// First bytes of length-encoded numbers; smaller ones are the number itself.
constexpr std::uint8_t kLenencNull = 0xfb;
constexpr std::uint8_t kLenenc2 = 0xfc;
constexpr std::uint8_t kLenenc3 = 0xfd;
constexpr std::uint8_t kLenenc8 = 0xfe;
// No length begins with it, and an error packet does.
constexpr std::uint8_t kNoLength = 0xff;

}  // namespace

ConstBytes Reader::bytes(std::size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    return {};
  }
  const ConstBytes taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::string Reader::text_to_zero() {
  const auto end = std::find(rest_.begin(), rest_.end(), std::byte{0});
  if (failed_ || end == rest_.end()) {
    failed_ = true;
    return {};
  }
  std::string text = to_text(bytes(static_cast<std::size_t>(end - rest_.begin())));
  bytes(1);
  return text;
}

std::uint64_t Reader::lenenc_number() {
  const auto first = number<std::uint8_t>();
  switch (first) {
    case kLenenc2:
      return number<std::uint16_t>();
    case kLenenc3: {
      const std::uint64_t low = number<std::uint16_t>();
      return low | std::uint64_t{number<std::uint8_t>()} << 16;
    }
    case kLenenc8:
      return number<std::uint64_t>();
    case kLenencNull:
    case kNoLength:
      failed_ = true;
      return 0;
    default:
      return first;
  }
}

ConstBytes Reader::lenenc_bytes() {
  const std::uint64_t length = lenenc_number();
  return bytes(length);
}

std::optional<std::string> Reader::lenenc_text_or_null() {
  if (!failed_ && !rest_.empty() && static_cast<std::uint8_t>(rest_[0]) == kLenencNull) {
    bytes(1);
    return std::nullopt;
  }
  return to_text(lenenc_bytes());
}

Writer& Writer::bytes(ConstBytes bytes) {
  payload_.insert(payload_.end(), bytes.begin(), bytes.end());
  return *this;
}

Writer& Writer::text(std::string_view text) {
  return bytes(as_bytes(text));
}

Writer& Writer::text_and_zero(std::string_view text) {
  return this->text(text).zeros(1);
}

Writer& Writer::zeros(std::size_t count) {
  payload_.resize(payload_.size() + count);
  return *this;
}

Writer& Writer::lenenc_number(std::uint64_t value) {
  if (value < kLenencNull) return number(static_cast<std::uint8_t>(value));
  if (value <= 0xffff) return number(kLenenc2).number(static_cast<std::uint16_t>(value));
  if (value <= 0xffffff) {
    return number(kLenenc3)
        .number(static_cast<std::uint16_t>(value))
        .number(static_cast<std::uint8_t>(value >> 16));
  }
  return number(kLenenc8).number(value);
}

Writer& Writer::lenenc_text(std::string_view text) {
  return lenenc_number(text.size()).text(text);
}

Writer& Writer::null() {
  return number(kLenencNull);
}

std::string shown(std::string_view text, std::size_t length) {
  std::string result(text.substr(0, length));
  for (char& c : result) {
    // The rest may be a control character, or half a character if the text was cut.
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) c = '?';
  }
  if (text.size() > length) result += "...";
  return result;
}

std::string to_text(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ConstBytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace binlane::mysql

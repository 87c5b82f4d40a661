#include "shim/binlog/mysql_gtid_text.h"

#include <charconv>

namespace binlane {
namespace {

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_tag_character(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '_';
}

constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether a hyphen precedes this byte of a UUID's text.
constexpr bool follows_hyphen(std::size_t byte) noexcept {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

// The length of a UUID with or without its hyphens at the beginning of `text`; 0 if there is none.
std::size_t uuid_length(std::string_view text, bool hyphens, Uuid& uuid) noexcept {
  std::size_t at = 0;
  for (std::size_t byte = 0; byte < uuid.bytes.size(); ++byte) {
    if (hyphens && follows_hyphen(byte)) {
      if (at >= text.size() || text[at] != '-') return 0;
      ++at;
    }
    if (at + 2 > text.size()) return 0;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return 0;
    uuid.bytes[byte] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  return at;
}

}  // namespace

std::optional<MysqlTag> MysqlTag::parse(std::string_view text) noexcept {
  if (text.empty() || text.size() > kCapacity || is_digit(text.front())) return std::nullopt;
  MysqlTag tag;
  for (const char c : text) {
    if (!is_tag_character(c)) return std::nullopt;
    const bool upper = c >= 'A' && c <= 'Z';
    tag.text_[tag.length_++] = upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return tag;
}

bool MysqlGtidText::take(char wanted) noexcept {
  if (rest_.empty() || rest_.front() != wanted) return false;
  skip(1);
  return true;
}

std::optional<Uuid> MysqlGtidText::take_uuid() noexcept {
  const bool braces = !rest_.empty() && rest_.front() == '{';
  const std::string_view text = rest_.substr(braces ? 1 : 0);
  Uuid uuid;
  std::size_t length = uuid_length(text, true, uuid);
  // MySQL takes braces around the form with hyphens only.
  if (length == 0 && !braces) length = uuid_length(text, false, uuid);
  if (length == 0) return std::nullopt;
  if (braces) {
    if (text.size() == length || text[length] != '}') return std::nullopt;
    length += 2;
  }
  skip(length);
  return uuid;
}

std::optional<MysqlTag> MysqlGtidText::take_tag() noexcept {
  std::size_t length = 0;
  while (length < rest_.size() && is_tag_character(rest_[length])) ++length;
  const auto tag = MysqlTag::parse(rest_.substr(0, length));
  if (tag) skip(length);
  return tag;
}

std::optional<std::uint64_t> MysqlGtidText::take_number() noexcept {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
  if (error != std::errc{} || number > kMaxMysqlGno) return std::nullopt;
  skip(static_cast<std::size_t>(stop - rest_.data()));
  return number;
}

void MysqlGtidText::skip(std::size_t count) noexcept {
  rest_.remove_prefix(count);
  skip_whitespace();
}

void MysqlGtidText::skip_whitespace() noexcept {
  const std::size_t at = rest_.find_first_not_of(" \t\n\v\f\r");
  rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
}

std::string to_string(const MysqlTsid& tsid) {
  std::string text = to_string(tsid.uuid);
  if (!tsid.tag.empty()) text.append(":").append(tsid.tag.text());
  return text;
}

std::string to_string(const MysqlGtid& gtid) {
  return to_string(gtid.tsid) + ':' + std::to_string(gtid.gno);
}

std::optional<MysqlGtid> parse_mysql_gtid(std::string_view text) {
  MysqlGtidText in(text);
  const auto uuid = in.take_uuid();
  if (!uuid || !in.take(':')) return std::nullopt;
  MysqlGtid gtid{{*uuid, {}}, 0};
  if (const auto tag = in.take_tag()) {
    gtid.tsid.tag = *tag;
    if (!in.take(':')) return std::nullopt;
  }
  const auto gno = in.take_number();
  if (!gno || *gno == 0 || !in.at_end()) return std::nullopt;
  gtid.gno = *gno;
  return gtid;
}

}  // namespace binlane

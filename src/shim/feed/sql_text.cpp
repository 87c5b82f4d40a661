#include "shim/feed/sql_text.h"

#include <algorithm>
#include <charconv>

namespace binlane {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_name(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

}  // namespace

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

SqlText::SqlText(std::string_view text) : rest_(trimmed(text)) {
  while (rest_.starts_with("/*")) {
    const auto end = rest_.find("*/");
    if (end == std::string_view::npos) break;
    rest_ = trimmed(rest_.substr(end + 2));
  }
  while (!rest_.empty() && rest_.back() == ';') rest_ = trimmed(rest_.substr(0, rest_.size() - 1));
}

bool SqlText::take(std::string_view word) {
  if (rest_.size() < word.size()) return false;
  if (!std::equal(word.begin(), word.end(), rest_.begin(),
                  [](char wanted, char c) { return wanted == lower(c); }))
    return false;
  const bool more = rest_.size() > word.size() && is_name(rest_[word.size()]);
  if (more && is_name(word.back())) return false;
  rest_ = trimmed(rest_.substr(word.size()));
  return true;
}

bool SqlText::take_words(std::initializer_list<std::string_view> words) {
  const std::string_view before = rest_;
  for (const std::string_view word : words) {
    if (take(word)) continue;
    rest_ = before;
    return false;
  }
  return true;
}

std::optional<std::string> SqlText::take_quoted() {
  if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
  const char quote = rest_.front();
  std::string value;
  for (std::size_t i = 1; i < rest_.size(); ++i) {
    const bool another = i + 1 < rest_.size();
    if (rest_[i] == quote && !(another && rest_[i + 1] == quote)) {
      rest_ = trimmed(rest_.substr(i + 1));
      return value;
    }
    if (another && (rest_[i] == '\\' || rest_[i] == quote)) ++i;
    value += rest_[i];
  }
  return std::nullopt;
}

std::optional<std::uint64_t> SqlText::take_number() {
  std::uint64_t value = 0;
  const char* const end = rest_.data() + rest_.size();
  const auto [stop, error] = std::from_chars(rest_.data(), end, value);
  if (error != std::errc{} || (stop != end && is_name(*stop))) return std::nullopt;
  rest_ = trimmed({stop, static_cast<std::size_t>(end - stop)});
  return value;
}

std::optional<std::string> SqlText::take_name() {
  if (!rest_.empty() && rest_.front() == '`') {
    const auto end = rest_.find('`', 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string name(rest_.substr(1, end - 1));
    rest_ = trimmed(rest_.substr(end + 1));
    return name;
  }
  const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_name);
  if (end == rest_.begin()) return std::nullopt;
  std::string name(rest_.begin(), end);
  rest_ = trimmed({end, rest_.end()});
  return name;
}

std::string_view SqlText::since(std::string_view before) const {
  return trimmed(before.substr(0, before.size() - rest_.size()));
}

}  // namespace binlane

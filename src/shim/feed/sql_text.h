// SqlText: takes words, quoted strings and numbers from the front of a statement. The feed
// recognises its few statements by their form; this is no SQL parser.
//
// Pure; a view of a text that must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace binlane {

std::string lowered(std::string_view text);
std::string_view trimmed(std::string_view text);

class SqlText {
 public:
  // Comments before the statement and semicolons after it are skipped.
  explicit SqlText(std::string_view text);

  bool empty() const noexcept { return rest_.empty(); }
  std::string_view rest() const noexcept { return rest_; }
  // Takes `word`, given in small letters, in any case; if the word ends with a letter, no letter,
  // digit or underscore may follow.
  bool take(std::string_view word);
  // The same for several in a row: all of them or none.
  bool take_words(std::initializer_list<std::string_view> words);
  // A string in single or double quotes; after a backslash, or a quote before another one, the next
  // character is literal.
  std::optional<std::string> take_quoted();
  std::optional<std::uint64_t> take_number();
  // A name of letters, digits, underscores and dollars; with or without backquotes.
  std::optional<std::string> take_name();
  // What was taken since `before` was the rest, without blanks at its end.
  std::string_view since(std::string_view before) const;

 private:
  std::string_view rest_;
};

}  // namespace binlane

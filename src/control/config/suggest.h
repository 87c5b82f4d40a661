// "Did you mean": the known word that is nearest to a mistyped one. For ordinary threads.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace binlane {

// Whether the words are the same but for upper and lower case.
bool same_word(std::string_view a, std::string_view b);

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. Words longer than 64
// characters count as unrelated.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, if it is near enough to be what was meant; otherwise an empty view.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

}  // namespace binlane
